"""ContinueDeployment and its older sister: which wait of which deployment each of them ends."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_cases import group, manifest
from traffic_rig import TrafficRig
from traffic_shapes import function_appspec, service_appspec

from runner.model.rollout import HoldStep, Rollout, ShiftStep

SKIP = "skip_wait_time_for_instance_termination"
NOT_READY = "DeploymentIsNotInReadyStateException"
UNSUPPORTED = "UnsupportedActionForDeploymentTypeException"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[TrafficRig]:
    with TrafficRig(tmp_path) as made:
        yield made


def code(rig: TrafficRig, made: str, wait: str) -> str:
    return rig.refused("continue_deployment", deploymentId=made, deploymentWaitType=wait)[0]


def test_the_wait_before_traffic_moves_is_not_ended_by_the_word_for_the_other(rig: TrafficRig):
    made = rig.start(rig.service(ready=10, termination=10), service_appspec())
    assert code(rig, made, "TERMINATION_WAIT") == NOT_READY
    assert rig.refused(SKIP, deploymentId=made)[0] == "DeploymentNotStartedException"
    assert rig.get(made)["status"] == "Ready"
    rig.client.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
    rig.world.settle()
    assert code(rig, made, "READY_WAIT") == NOT_READY
    assert rig.get(made)["status"] == "InProgress"


def test_the_older_operation_ends_the_termination_wait(rig: TrafficRig):
    made = rig.start(rig.service(termination=10), service_appspec())
    rig.client.skip_wait_time_for_instance_termination(deploymentId=made)
    rig.world.settle()
    assert rig.get(made)["status"] == "Succeeded"
    assert rig.refused(SKIP, deploymentId=made)[0] == "DeploymentAlreadyCompletedException"


def test_what_passes_between_two_shifts_is_no_wait_that_the_api_ends(rig: TrafficRig):
    canary = "CodeDeployDefault.ECSCanary10Percent5Minutes"
    service = rig.start(rig.service(deploymentConfigName=canary), service_appspec())
    assert code(rig, service, "READY_WAIT") == NOT_READY
    canary = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    function = rig.start(rig.function(deploymentConfigName=canary), function_appspec())
    assert {code(rig, function, wait) for wait in ("READY_WAIT", "TERMINATION_WAIT")} == {UNSUPPORTED}
    assert rig.refused(SKIP, deploymentId=function)[0] == UNSUPPORTED
    assert [weight for _, weight in rig.world.shifts] == [10, 10]


def test_the_hold_of_a_manifests_rollout_for_a_function_can_be_ended(rig: TrafficRig):
    steps = (ShiftStep(percent=10), HoldStep(duration=dt.timedelta(hours=1)), ShiftStep(percent=100))
    settings = group("live", tags={}, platform="Lambda", rollout=Rollout(name="careful", steps=steps))
    (made,) = rig.world.push("1", manifest(settings, platform="Lambda"))
    rig.world.settle()
    assert code(rig, made, "TERMINATION_WAIT") == UNSUPPORTED
    rig.client.continue_deployment(deploymentId=made)
    rig.world.settle()
    assert rig.get(made)["status"] == "Succeeded"
    assert [weight for _, weight in rig.world.shifts] == [10, 100]


def test_a_wait_is_ended_once(rig: TrafficRig):
    """Whoever asks again while the next event runs meets a deployment that is not ready."""
    made = rig.start(rig.service(ready=10), service_appspec())
    for _ in range(2):
        rig.client.continue_deployment(deploymentId=made)
    actions = rig.world.step([])
    assert code(rig, made, "READY_WAIT") == NOT_READY
    while actions:
        actions = rig.world.step(actions)
    assert rig.get(made)["status"] == "Succeeded"
