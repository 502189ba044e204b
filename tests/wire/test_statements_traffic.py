"""Statements 2, 9, 11, 15, 43, 44, 47 and 48 of the behaviour reference: deployments to Lambda and ECS.

Time is the world's own: minutes pass at once.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from traffic_rig import TrafficRig
from traffic_shapes import function_appspec, service_appspec


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[TrafficRig]:
    with TrafficRig(tmp_path) as made:
        yield made


def test_statement_2_a_deployment_to_lambda_or_ecs_has_one_target(rig: TrafficRig):
    for made, name in (
        (rig.start(rig.function(), function_appspec()), "shop"),
        (rig.start(rig.service(), service_appspec()), "main:web"),
    ):
        two = {"deploymentId": made, "targetIds": [name, name]}
        assert rig.refused("batch_get_deployment_targets", **two)[0] == "DeploymentTargetListSizeExceededException"
        (one,) = rig.client.batch_get_deployment_targets(deploymentId=made, targetIds=[name])["deploymentTargets"]
        told = rig.client.get_deployment_target(deploymentId=made, targetId=name)["deploymentTarget"]
        assert told == one


def test_statement_9_the_content_of_an_appspec_comes_by_its_digest(rig: TrafficRig):
    revision = function_appspec()
    made = rig.start(rig.function(), revision)
    told = rig.get(made)["revision"]
    digest = revision["appSpecContent"]["sha256"]
    assert told == {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": digest}}
    got = rig.client.get_application_revision(applicationName="functions", revision=told)
    assert got["revision"] == revision
    assert got["revisionInfo"]["deploymentGroups"] == ["live"]


def test_statement_11_a_deployment_to_lambda_has_no_instances(rig: TrafficRig):
    made = rig.start(rig.function(), function_appspec())
    for operation, more in (
        ("list_deployment_instances", {"instanceTypeFilter": ["Blue"]}),
        ("list_deployment_instances", {}),
        ("get_deployment_instance", {"instanceId": "shop"}),
        ("batch_get_deployment_instances", {"instanceIds": ["shop"]}),
    ):
        code, message = rig.refused(operation, deploymentId=made, **more)
        assert (code, "Lambda" in message) == ("InvalidComputePlatformException", True)


def test_statement_15_a_blue_green_deployment_is_continued_when_it_is_ready(rig: TrafficRig):
    made = rig.create(**rig.service(ready=60, termination=30), revision=service_appspec())
    actions = rig.world.step(rig.world.step([]))
    assert [each["status"] for each in rig.target(made)["lifecycleEvents"][:2]] == ["InProgress", "Pending"]
    assert refused_to_continue(rig, made) == {"DeploymentIsNotInReadyStateException"}
    while actions:
        actions = rig.world.step(actions)
    assert rig.get(made)["status"] == "Ready"
    rig.client.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
    rig.world.settle()
    assert rig.get(made)["status"] == "InProgress"
    rig.client.continue_deployment(deploymentId=made, deploymentWaitType="TERMINATION_WAIT")
    rig.world.settle()
    assert rig.get(made)["status"] == "Succeeded"
    assert refused_to_continue(rig, made) == {"DeploymentAlreadyCompletedException"}


def refused_to_continue(rig: TrafficRig, made: str) -> set[str]:
    """The exceptions with which each way to continue is refused."""
    ways = ({}, {"deploymentWaitType": "READY_WAIT"}, {"deploymentWaitType": "TERMINATION_WAIT"})
    return {rig.refused("continue_deployment", deploymentId=made, **each)[0] for each in ways}


def test_statement_43_a_canary_has_10_percent_at_once_and_all_after_5_minutes(rig: TrafficRig):
    place = rig.function(deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes")
    made = rig.start(place, function_appspec())
    assert rig.target(made)["lambdaFunctionInfo"]["targetVersionWeight"] == 10.0
    rig.world.wait(seconds=299)
    assert rig.target(made)["lambdaFunctionInfo"]["targetVersionWeight"] == 10.0
    rig.world.wait(seconds=1)
    assert rig.target(made)["lambdaFunctionInfo"]["targetVersionWeight"] == 100.0
    assert rig.get(made)["status"] == "Succeeded"
    (first, _), _ = rig.world.shifts
    assert [(at - first, weight) for at, weight in rig.world.shifts] == [(0, 10), (300, 100)]


def test_statement_44_a_linear_rollout_shifts_ten_times_the_last_at_9_minutes(rig: TrafficRig):
    place = rig.function(deploymentConfigName="CodeDeployDefault.LambdaLinear10PercentEvery1Minute")
    made = rig.start(place, function_appspec())
    rig.world.wait(seconds=539)
    assert rig.get(made)["status"] == "InProgress"
    rig.world.wait(seconds=1)
    assert rig.get(made)["status"] == "Succeeded"
    first = rig.world.shifts[0][0]
    minutes = [((at - first) / 60, weight) for at, weight in rig.world.shifts]
    assert minutes == [(number, 10 * (number + 1)) for number in range(10)]


def test_statement_47_in_the_termination_wait_the_target_has_succeeded_and_the_deployment_goes_on(rig: TrafficRig):
    made = rig.start(rig.service(termination=5), service_appspec())
    told, target = rig.get(made), rig.target(made)
    assert (told["status"], target["status"]) == ("InProgress", "Succeeded")
    assert told["instanceTerminationWaitTimeStarted"]
    assert [each["status"] for each in target["taskSetsInfo"]] == ["ACTIVE", "PRIMARY"]
    rig.world.wait(minutes=5)
    told, target = rig.get(made), rig.target(made)
    assert (told["status"], target["status"]) == ("Succeeded", "Succeeded")
    assert [each["status"] for each in target["taskSetsInfo"]] == ["PRIMARY"]


def test_statement_48_a_wait_that_nobody_ended_stops_the_deployment(rig: TrafficRig):
    made = rig.start(rig.service(ready=30), service_appspec())
    rig.world.wait(seconds=1799)
    assert rig.get(made)["status"] == "Ready"
    rig.world.wait(seconds=1)
    told = rig.get(made)
    assert told["status"] == "Stopped"
    assert "waiting for a notification to continue" in told["errorInformation"]["message"]
    assert rig.world.shifts == []
