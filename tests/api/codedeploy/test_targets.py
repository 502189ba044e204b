"""Targets of a deployment, and the older operations on its instances."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deployment_rig import DeploymentRig
from store_cases import EVENTS

from runner.api.codedeploy.target_info import tail


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeploymentRig]:
    with DeploymentRig(tmp_path, hosts=3) as made:
        yield made


def test_before_the_targets_are_known_there_is_nothing_to_tell(rig: DeploymentRig):
    made = {"deploymentId": rig.create()}
    for operation, more in (
        ("list_deployment_targets", {}),
        ("get_deployment_target", {"targetId": "x"}),
        ("batch_get_deployment_targets", {"targetIds": ["x"]}),
        ("list_deployment_instances", {}),
    ):
        assert rig.refused(operation, **made, **more)[0] == "DeploymentNotStartedException"


def test_a_target_has_its_events_in_order_with_what_went_wrong(rig: DeploymentRig):
    rig.world.fails = lambda event: event.name == "Install" and event.target == "production-2"
    made = rig.deploy()["deploymentId"]
    told = rig.client.get_deployment_target(deploymentId=made, targetId="production-2")["deploymentTarget"]
    assert told["deploymentTargetType"] == "InstanceTarget"
    target = told["instanceTarget"]
    assert target["targetArn"] == "arn:aws:codedeploy:us-east-1:000000000000:instance/production-2"
    assert (target["status"], target["lastUpdatedAt"]) == ("Failed", rig.world.now)
    assert [each["lifecycleEventName"] for each in target["lifecycleEvents"]] == list(EVENTS)
    assert [each["status"] for each in target["lifecycleEvents"]] == ["Succeeded", "Succeeded", "Failed", "Skipped"]
    failed = target["lifecycleEvents"][2]["diagnostics"]
    assert failed == {"errorCode": "ScriptFailed", "scriptName": "x.sh", "message": "no", "logTail": ""}
    assert "diagnostics" not in target["lifecycleEvents"][3]


def test_targets_are_listed_in_deployment_order_and_by_status(rig: DeploymentRig):
    rig.world.fails = lambda event: event.target == "production-2"
    made = rig.deploy()["deploymentId"]

    def ids(**filters: list[str]) -> list[str]:
        return list(rig.client.list_deployment_targets(deploymentId=made, targetFilters=filters)["targetIds"])

    assert ids() == ["production-1", "production-2", "production-3"]
    assert ids(TargetStatus=["Failed", "Ready"]) == ["production-2"]
    assert ids(TargetStatus=["Ready"]) == []
    for filters, code in (
        ({"TargetStatus": ["Odd"]}, "InvalidInstanceStatusException"),
        ({"ServerInstanceLabel": ["Red"]}, "InvalidInstanceTypeException"),
        ({"ServerInstanceLabel": ["Blue"]}, "InvalidDeploymentInstanceTypeException"),
        ({"Colour": ["Blue"]}, "InvalidTargetFilterNameException"),
    ):
        assert rig.refused("list_deployment_targets", deploymentId=made, targetFilters=filters)[0] == code


def test_targets_that_are_not_there_and_too_many_of_them(rig: DeploymentRig):
    made = rig.deploy()["deploymentId"]
    many = [f"production-{number}" for number in range(26)]
    batch = "batch_get_deployment_targets"
    assert rig.refused(batch, deploymentId=made, targetIds=many)[0] == "DeploymentTargetListSizeExceededException"
    missing = rig.refused(batch, deploymentId=made, targetIds=["production-1", "other"])
    assert missing == ("DeploymentTargetDoesNotExistException", f"{made} has no target other")
    found = rig.client.batch_get_deployment_targets(
        deploymentId=made, targetIds=["production-3", "production-1", "production-3"]
    )["deploymentTargets"]
    assert [each["instanceTarget"]["targetId"] for each in found] == ["production-3", "production-1"]


def test_the_older_operations_say_the_same_of_instances(rig: DeploymentRig):
    made = rig.deploy()["deploymentId"]
    listed = rig.client.list_deployment_instances(deploymentId=made, instanceStatusFilter=["Succeeded"])
    assert listed["instancesList"] == ["production-1", "production-2", "production-3"]
    summary = rig.client.get_deployment_instance(deploymentId=made, instanceId="production-1")["instanceSummary"]
    target = rig.client.get_deployment_target(deploymentId=made, targetId="production-1")["deploymentTarget"]
    assert summary["lifecycleEvents"] == target["instanceTarget"]["lifecycleEvents"]
    assert (summary["instanceId"], summary["status"]) == ("production-1", "Succeeded")
    assert (
        rig.refused("get_deployment_instance", deploymentId=made, instanceId="x")[0] == "InstanceDoesNotExistException"
    )
    batch = rig.client.batch_get_deployment_instances(deploymentId=made, instanceIds=["production-2", "other"])
    assert [each["instanceId"] for each in batch["instancesSummary"]] == ["production-2"]
    assert batch["errorMessage"] == f"{made} has no instance other"


def test_a_thousand_targets_come_in_pages(tmp_path: Path):
    with DeploymentRig(tmp_path, hosts=1000) as rig:
        made = rig.create()
        rig.world.step(rig.world.step([]))
        pages = rig.client.get_paginator("list_deployment_targets").paginate(deploymentId=made)
        found = [page["targetIds"] for page in pages]
        assert [len(page) for page in found] == [100] * 10
        assert len({name for page in found for name in page}) == 1000


def test_the_tail_of_a_log_is_4_kilobytes_of_whole_characters():
    assert tail("short") == "short"
    cut = tail("x" + "ä" * 4096 + "y")
    assert len(cut.encode()) <= 4096
    assert cut == "ä" * 2047 + "y"
