"""Deployments as the wire API tells of them: their shape, lists and pages, what steers them."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import Loader
from deployment_rig import GROUP, REVISION, DeploymentRig
from store_cases import group, manifest

from runner.api.codedeploy import deployments
from runner.api.codedeploy.deployment_info import _OUR_CODES
from runner.model.rollout import BatchStep, HoldStep, Rollout, Share


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeploymentRig]:
    with DeploymentRig(tmp_path) as made:
        yield made


def test_a_deployment_tells_what_it_is_and_how_it_went(rig: DeploymentRig):
    made = rig.create()
    waiting = rig.get(made)
    assert "startTime" not in waiting
    rig.world.tick()
    rig.world.settle()
    ended = rig.get(made)
    assert ended.pop("createTime") < ended.pop("startTime") <= ended.pop("completeTime")
    assert ended == {
        "applicationName": "api",
        "deploymentGroupName": "production",
        "deploymentConfigName": "CodeDeployDefault.AllAtOnce",
        "deploymentId": made,
        "revision": REVISION,
        "status": "Succeeded",
        "deploymentOverview": {"Pending": 0, "InProgress": 0, "Succeeded": 2, "Failed": 0, "Skipped": 0, "Ready": 0},
        "creator": "user",
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": {"enabled": False, "events": []},
        "updateOutdatedInstancesOnly": False,
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "instanceTerminationWaitTimeStarted": False,
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "Server",
    }


def test_codes_of_our_own_are_told_in_words_of_the_model(rig: DeploymentRig):
    known = Loader().load_service_model("codedeploy", "service-2")["shapes"]["ErrorCode"]["enum"]
    assert set(_OUR_CODES.values()) <= set(known)
    rig.world.fails = lambda event: event.name == "Install"
    _staging, production = rig.world.push("1")
    rig.world.settle()
    told = rig.get(production)
    assert (told["status"], told["errorInformation"]["code"]) == ("Stopped", "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND")
    assert "staging failed" in told["errorInformation"]["message"]


def test_deployments_that_are_not_known_are_refused(rig: DeploymentRig):
    for operation in (
        "get_deployment",
        "stop_deployment",
        "continue_deployment",
        "list_deployment_targets",
        "list_deployment_instances",
        "skip_wait_time_for_instance_termination",
    ):
        assert rig.refused(operation, deploymentId="d-AAAAAAAAA")[0] == "DeploymentDoesNotExistException"


def test_lists_go_by_status_and_time_open_at_either_end(rig: DeploymentRig):
    first = rig.deploy()
    rig.world.fails = lambda event: True
    second = rig.deploy()
    listed = rig.client.list_deployments

    def ids(**which: object) -> list[str]:
        return list(listed(**which)["deployments"])

    newest, oldest = second["deploymentId"], first["deploymentId"]
    assert ids(includeOnlyStatuses=["Failed"]) == [newest]
    assert ids(includeOnlyStatuses=["Baking", "Ready"]) == []
    assert ids(createTimeRange={"start": second["createTime"]}) == [newest]
    assert ids(createTimeRange={"end": first["createTime"]}) == [oldest]
    moment = dt.timedelta(milliseconds=1)
    assert ids(createTimeRange={"start": first["createTime"] + moment, "end": second["createTime"] - moment}) == []
    wrong = {"start": second["createTime"], "end": first["createTime"]}
    assert rig.refused("list_deployments", createTimeRange=wrong)[0] == "InvalidTimeRangeException"
    assert rig.refused("list_deployments", includeOnlyStatuses=["Odd"])[0] == "InvalidDeploymentStatusException"
    assert ids(externalId="a-stack") == []


def test_pages_stay_stable_while_deployments_are_created(rig: DeploymentRig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(deployments, "SIZE", 3)
    made = [rig.deploy()["deploymentId"] for _ in range(5)]
    first = rig.client.list_deployments(**GROUP)
    rig.deploy()
    second = rig.client.list_deployments(**GROUP, nextToken=first["nextToken"])
    assert [*first["deployments"], *second["deployments"]] == made[::-1]
    assert "nextToken" not in second
    code, _ = rig.refused("list_deployments", nextToken=first["nextToken"])  # of another listing
    assert code == "InvalidNextTokenException"


def test_a_batch_is_of_25_deployments(rig: DeploymentRig):
    wanted = [f"d-AAAAAAA{number:02}" for number in range(26)]
    assert rig.refused("batch_get_deployments", deploymentIds=wanted)[0] == "BatchLimitExceededException"
    assert rig.client.batch_get_deployments(deploymentIds=wanted[:25])["deploymentsInfo"] == []


def test_a_stop_is_pending_until_running_events_have_ended_and_then_succeeded(rig: DeploymentRig):
    made = rig.create()
    actions = rig.world.step(rig.world.step([]))
    stop = rig.client.stop_deployment
    assert [stop(deploymentId=made)["status"] for _ in range(2)] == ["Pending", "Pending"]
    rig.world.step(actions)
    told = rig.get(made)
    assert (told["status"], told["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert stop(deploymentId=made)["status"] == "Succeeded"
    other = rig.deploy()["deploymentId"]
    assert rig.refused("stop_deployment", deploymentId=other)[0] == "DeploymentAlreadyCompletedException"


@pytest.mark.parametrize(("said", "rolled_back"), [(True, True), (False, False), (None, True)])
def test_a_stop_says_whether_to_roll_back_or_lets_the_group_decide(
    rig: DeploymentRig, said: bool | None, rolled_back: bool
):
    place = rig.group("careful", autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]})
    rig.deploy(**place)
    made = rig.create(**place)
    actions = rig.world.step(rig.world.step([]))
    rig.client.stop_deployment(deploymentId=made, **({} if said is None else {"autoRollbackEnabled": said}))
    rig.world.step(actions)
    rig.world.settle()
    info = rig.get(made).get("rollbackInfo", {})
    assert ("rollbackDeploymentId" in info) is rolled_back


def test_a_hold_of_a_manifests_rollout_can_be_ended(rig: DeploymentRig):
    half = Share(value=50, percent=True)
    hold = HoldStep(duration=dt.timedelta(hours=1))
    steps = (BatchStep(size=half), hold, BatchStep(size=Share(value=100, percent=True)))
    careful = Rollout(name="careful", max_failed=0, steps=steps)
    (made,) = rig.world.push("1", manifest(group("production", rollout=careful)))
    early = rig.refused("continue_deployment", deploymentId=made, deploymentWaitType="READY_WAIT")
    assert early[0] == "DeploymentIsNotInReadyStateException"
    rig.world.settle()
    assert rig.get(made)["deploymentStatusMessages"] == ["waits for the hold to end"]
    wrong = rig.refused("continue_deployment", deploymentId=made, deploymentWaitType="TERMINATION_WAIT")
    assert wrong[0] == "UnsupportedActionForDeploymentTypeException"
    rig.client.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
    rig.world.settle()
    assert rig.get(made)["status"] == "Succeeded"
    late = rig.refused("continue_deployment", deploymentId=made)
    assert late[0] == "DeploymentAlreadyCompletedException"


def test_hooks_of_servers_have_no_callback(rig: DeploymentRig):
    made = rig.create()
    put = "put_lifecycle_event_hook_execution_status"
    skipped = rig.refused(put, deploymentId=made, lifecycleEventHookExecutionId="x", status="Skipped")
    assert skipped[0] == "InvalidLifecycleEventHookExecutionStatusException"
    answered = rig.refused(put, deploymentId=made, lifecycleEventHookExecutionId="x", status="Succeeded")
    assert answered[0] == "UnsupportedActionForDeploymentTypeException"


def test_readers_read_and_deployers_deploy(rig: DeploymentRig):
    rig.client = rig.rig.client("deployer")
    made = rig.create()
    rig.client = rig.rig.client("reader")
    assert rig.get(made)["deploymentId"] == made
    assert rig.refused("stop_deployment", deploymentId=made)[0] == "AccessDeniedException"
