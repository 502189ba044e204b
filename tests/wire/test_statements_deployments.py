"""Statements 1, 3, 7, 11, 15 and 16 of the behaviour reference: the API's answers about deployments to servers.

11 and 15 of other deployments are in test_statements_traffic.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment_rig import GROUP, REVISION, DeploymentRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeploymentRig]:
    with DeploymentRig(tmp_path) as made:
        yield made


def test_statement_1_a_group_that_is_deployed_to_takes_no_other_deployment(rig: DeploymentRig):
    active = rig.create()
    rig.world.step(rig.world.step([]))
    assert rig.get(active)["status"] == "InProgress"
    code, message = rig.refused("create_deployment", **GROUP, revision=REVISION)
    assert code == "DeploymentLimitExceededException"
    assert message == f"The Deployment Group 'production' already has an active Deployment '{active}'"
    assert rig.client.list_deployments()["deployments"] == [active]


def test_statement_3_unknown_deployments_are_left_out_and_unknown_applications_are_not(rig: DeploymentRig):
    made = rig.create()
    answer = rig.client.batch_get_deployments(deploymentIds=["d-AAAAAAAAA", made])
    assert [each["deploymentId"] for each in answer["deploymentsInfo"]] == [made]
    code, _ = rig.refused("batch_get_applications", applicationNames=["api", "nothing"])
    assert code == "ApplicationDoesNotExistException"


def test_statement_7_deployments_are_listed_by_application_and_group_or_all(rig: DeploymentRig):
    assert rig.refused("list_deployments", applicationName="api")[0] == "DeploymentGroupNameRequiredException"
    assert rig.refused("list_deployments", deploymentGroupName="x")[0] == "ApplicationNameRequiredException"
    other = rig.group("staging")
    first, second = rig.create(), rig.create(**other)
    assert rig.client.list_deployments()["deployments"] == [second, first]
    assert rig.client.list_deployments(**GROUP)["deployments"] == [first]


def test_statement_11_an_in_place_deployment_has_neither_blue_nor_green_instances(rig: DeploymentRig):
    made = rig.deploy()["deploymentId"]
    code, _ = rig.refused("list_deployment_instances", deploymentId=made, instanceTypeFilter=["Blue"])
    assert code == "InvalidDeploymentInstanceTypeException"


def test_statement_15_an_in_place_deployment_cannot_be_continued(rig: DeploymentRig):
    made = rig.create()
    for _ in range(2):
        for operation in ("continue_deployment", "skip_wait_time_for_instance_termination"):
            code, _message = rig.refused(operation, deploymentId=made)
            assert code == "UnsupportedActionForDeploymentTypeException"
        rig.world.settle()
    assert rig.get(made)["status"] == "Succeeded"


def test_statement_16_a_description_has_at_most_256_characters(rig: DeploymentRig):
    code, _ = rig.refused("create_deployment", **GROUP, revision=REVISION, description="x" * 257)
    assert code == "DescriptionTooLongException"
    assert rig.get(rig.create(description="ä" * 256))["description"] == "ä" * 256
