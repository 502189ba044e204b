"""PutLifecycleEventHookExecutionStatus, as boto3 calls it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment_rig import DeploymentRig

APPSPEC = """
version: 0.0
Resources:
  - resize:
      Type: AWS::Lambda::Function
      Properties: {Name: resize, Alias: live, CurrentVersion: "1", TargetVersion: "2"}
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeploymentRig]:
    with DeploymentRig(tmp_path) as made:
        yield made


@pytest.fixture
def deployment(rig: DeploymentRig) -> str:
    """One to a Lambda function; nobody drives it."""
    rig.client.create_application(applicationName="resize", computePlatform="Lambda")
    rig.client.create_deployment_group(
        applicationName="resize",
        deploymentGroupName="live",
        serviceRoleArn="arn:aws:iam::000000000000:role/deploys",
        deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce",
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    )
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": APPSPEC}}
    return rig.create(applicationName="resize", deploymentGroupName="live", revision=revision)


def execution(rig: DeploymentRig, deployment: str, event: str = "BeforeAllowTraffic") -> str:
    return rig.world.store.hooks.begin((deployment, "resize", event, 1), rig.world.now).id


def put(rig: DeploymentRig, deployment: str, execution_id: str, status: str = "Succeeded") -> str:
    told = rig.client.put_lifecycle_event_hook_execution_status(
        deploymentId=deployment, lifecycleEventHookExecutionId=execution_id, status=status
    )
    return str(told["lifecycleEventHookExecutionId"])


def refused(rig: DeploymentRig, **parameters: str) -> str:
    return rig.refused("put_lifecycle_event_hook_execution_status", **parameters)[0]


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_the_answer_ends_the_execution_and_its_id_comes_back(rig: DeploymentRig, deployment: str, status: str):
    made = execution(rig, deployment)
    rig.world.tick()
    assert put(rig, deployment, made, status) == made
    ended = rig.world.store.hooks.look([made])[made]
    assert (ended.status, ended.ended_at) == (status, rig.world.now)


def test_a_second_answer_is_refused_whatever_it_says(rig: DeploymentRig, deployment: str):
    made = execution(rig, deployment)
    put(rig, deployment, made, "Failed")
    for status in ("Succeeded", "Failed"):
        given = {"deploymentId": deployment, "lifecycleEventHookExecutionId": made, "status": status}
        assert refused(rig, **given) == "LifecycleEventAlreadyCompletedException"
    assert rig.world.store.hooks.look([made])[made].status == "Failed"


@pytest.mark.parametrize("status", ["Skipped", "Pending", "InProgress", "Unknown", "Great"])
def test_only_two_words_are_answers(rig: DeploymentRig, deployment: str, status: str):
    given = {"deploymentId": deployment, "lifecycleEventHookExecutionId": execution(rig, deployment), "status": status}
    assert refused(rig, **given) == "InvalidLifecycleEventHookExecutionStatusException"


def test_an_execution_that_nobody_knows_is_refused(rig: DeploymentRig, deployment: str):
    given = {"deploymentId": deployment, "status": "Succeeded"}
    code = "InvalidLifecycleEventHookExecutionIdException"
    assert refused(rig, **given) == code
    assert refused(rig, **given, lifecycleEventHookExecutionId="nobody") == code


def test_deployments_that_cannot_have_hooks_are_refused(rig: DeploymentRig):
    given = {"lifecycleEventHookExecutionId": "x", "status": "Succeeded"}
    assert refused(rig, **given) == "DeploymentIdRequiredException"
    assert refused(rig, **given, deploymentId="d-NOTTHERE1") == "DeploymentDoesNotExistException"
    assert refused(rig, **given, deploymentId="x") == "InvalidDeploymentIdException"
    code = refused(rig, **given, deploymentId=rig.create())
    assert code == "UnsupportedActionForDeploymentTypeException"
