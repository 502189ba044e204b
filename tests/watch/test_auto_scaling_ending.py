"""What runs on instances that Auto Scaling ends is stopped before, and keeps none from its end; boto3, corrected moto."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from launch_world import LaunchWorld
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures

BALANCED = {
    "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "loadBalancerInfo": {"targetGroupInfoList": [{"name": "web"}]},
}
BLOCKED = ["BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"]


@pytest.fixture
def world(tmp_path: Path, aws: Cloud) -> Iterator[LaunchWorld]:  # noqa: F811 - the fixture
    with LaunchWorld(tmp_path, aws) as made:
        made.ec2.auto_scaling_group("web", 2)
        yield made


def hooked(world: LaunchWorld, **settings: object) -> dict[str, str]:
    """The deployment group, once both hooks are there."""
    place = world.servers("web", terminationHookEnabled=True, **settings)  # type: ignore[arg-type]
    world.until(lambda: len(world.hooks("web")) == 2)
    return place


def serving(world: LaunchWorld, **settings: object) -> tuple[dict[str, str], str, str]:
    """The deployment group, and its two instances, which have the revision `one`."""
    place = hooked(world, **settings)
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    one, two = sorted(world.ec2.members("web"))
    assert world.has == {one: "one", two: "one"}
    return place, one, two


def gone(world: LaunchWorld, instance: str) -> None:
    world.until(lambda: world.state("web", instance) == "")
    world.until(lambda: world.store.lifecycle_actions.actions() == [])


def test_what_runs_on_an_instance_that_ends_is_stopped_and_nothing_is_installed(world: LaunchWorld) -> None:
    place, one, two = serving(world)
    world.end(one)
    gone(world, one)
    assert world.has == {two: "one"}
    (made,) = world.made("autoscalingTermination")
    assert made["status"] == "Succeeded" and made["revision"]["s3Location"]["key"] == "one"
    assert world.targets(made["deploymentId"]) == {one: ["ApplicationStop"]}
    assert world.known(place) == {two}


def test_behind_a_load_balancer_traffic_is_blocked_first(world: LaunchWorld) -> None:
    _, one, _ = serving(world, **BALANCED)
    world.end(one)
    gone(world, one)
    (made,) = world.made("autoscalingTermination")
    assert world.targets(made["deploymentId"]) == {one: [*BLOCKED, "ApplicationStop"]}


def test_an_instance_whose_application_cannot_be_stopped_ends_all_the_same(world: LaunchWorld) -> None:
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    place, one, _ = serving(world, autoRollbackConfiguration=rollback)
    before = world.client.get_deployment_group(**place)["deploymentGroupInfo"]
    world.broken.add("one")
    world.end(one)
    gone(world, one)
    (made,) = world.made("autoscalingTermination")
    assert made["status"] == "Failed"
    assert world.made("codeDeployRollback") == []
    after = world.client.get_deployment_group(**place)["deploymentGroupInfo"]
    for attempt in ("lastSuccessfulDeployment", "lastAttemptedDeployment", "targetRevision"):
        assert after[attempt] == before[attempt]


def test_an_instance_that_never_was_deployed_to_ends_at_once(world: LaunchWorld) -> None:
    hooked(world)
    (one, _) = world.ec2.members("web")
    world.end(one)
    gone(world, one)
    assert world.client.list_deployments()["deployments"] == []


def test_one_that_is_switched_off_already_is_let_go(world: LaunchWorld) -> None:
    _, one, _ = serving(world)
    world.aws.client("ec2").stop_instances(InstanceIds=[one])
    world.end(one)
    gone(world, one)
    assert len(world.made("autoscalingTermination")) == 1


def test_somebody_who_stops_the_deployment_lets_the_instance_go_and_nothing_is_rolled_back(world: LaunchWorld) -> None:
    _, one, _ = serving(world, **BALANCED)
    world.held.set()
    world.end(one)
    world.until(lambda: [each["status"] for each in world.made("autoscalingTermination")] == ["InProgress"])
    (made,) = world.made("autoscalingTermination")
    world.client.stop_deployment(deploymentId=made["deploymentId"], autoRollbackEnabled=True)
    world.held.clear()
    gone(world, one)
    assert world.ended(made["deploymentId"])["status"] == "Stopped" and world.has[one] == "one"
    assert world.made("codeDeployRollback") == []


def test_heartbeats_keep_it_while_it_is_stopped_but_never_for_longer_than_an_hour(
    world: LaunchWorld,
    aws: Cloud,  # noqa: F811 - the fixture
) -> None:
    _, one, _ = serving(world)
    world.held.set()
    aws.forget()
    world.end(one)
    world.until(lambda: [each["status"] for each in world.made("autoscalingTermination")] == ["InProgress"])
    first = len(aws.calls(operation="RecordLifecycleActionHeartbeat"))
    world.later(minutes=6)
    world.until(lambda: len(aws.calls(operation="RecordLifecycleActionHeartbeat")) == first + 1)
    assert world.state("web", one) == "Terminating:Wait"
    world.later(minutes=45)
    gone(world, one)
    (made,) = world.made("autoscalingTermination")
    assert made["status"] == "InProgress" and world.store.deployment(made["deploymentId"]).stop_requested
    (told,) = aws.calls(operation="CompleteLifecycleAction")
    assert told.params["LifecycleActionResult"] == "CONTINUE"
    world.held.clear()
    world.ended(made["deploymentId"])


def test_it_runs_beside_a_deployment_of_the_group_which_knows_the_host_no_more(world: LaunchWorld) -> None:
    place, one, two = serving(world)
    world.held.set()
    root = world.release(place, "two")
    world.until(lambda: world.has == {one: "two", two: "two"})
    world.end(one)
    world.until(lambda: [each["status"] for each in world.made("autoscalingTermination")] == ["InProgress"])
    assert world.get(root)["status"] == "InProgress"
    world.later(minutes=51)  # it is let go while the other one still has it
    gone(world, one)
    world.held.clear()
    assert world.ended(root)["status"] == "Succeeded"
    assert world.known(place) == {two}
    group = world.client.get_deployment_group(**place)["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == root


def test_a_result_whose_answer_was_lost_is_told_again_and_counts_once(world: LaunchWorld) -> None:
    _, one, _ = serving(world)
    world.aws.fail("autoscaling", "CompleteLifecycleAction", times=1, status=500, carried_out=True)
    world.end(one)
    gone(world, one)
    assert len(world.made("autoscalingTermination")) == 1


def test_an_instance_has_a_deployment_when_it_is_launched_and_another_when_it_ends(world: LaunchWorld) -> None:
    serving(world)
    (new,) = world.launch("web")
    world.until(lambda: world.state("web", new) == "InService" and world.has.get(new) == "one")
    world.until(lambda: world.store.lifecycle_actions.actions() == [])
    world.end(new)
    gone(world, new)
    (launched,), (ended,) = world.made("autoscaling"), world.made("autoscalingTermination")
    assert set(world.targets(launched["deploymentId"])) == set(world.targets(ended["deploymentId"])) == {new}
    assert new not in world.has


def test_the_hook_comes_and_goes_with_the_setting(world: LaunchWorld) -> None:
    place = hooked(world)
    launch, end = sorted(world.hooks("web"), key=lambda hook: str(hook["LifecycleHookName"]))
    assert end["LifecycleHookName"].startswith("CodeDeploy-managed-automatic-termination-deployment-hook-live-")
    assert end["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert (end["DefaultResult"], end["HeartbeatTimeout"]) == ("CONTINUE", 600)
    names = {"hook": launch["LifecycleHookName"], "terminationHook": end["LifecycleHookName"]}
    group = world.client.get_deployment_group(**place)["deploymentGroupInfo"]
    assert group["terminationHookEnabled"] is True
    assert group["autoScalingGroups"] == [{"name": "web", **names}]
    change = {"applicationName": place["applicationName"], "currentDeploymentGroupName": "live"}
    left = world.client.update_deployment_group(**change, terminationHookEnabled=False)["hooksNotCleanedUp"]
    assert left == [{"name": "web", "terminationHook": end["LifecycleHookName"]}]
    world.until(lambda: world.hooks("web") == [launch])
    world.until(lambda: len(world.store.lifecycle_actions.installed()) == 1)
    world.client.update_deployment_group(**change, terminationHookEnabled=True)
    world.until(lambda: len(world.hooks("web")) == 2)
    world.client.delete_deployment_group(**place)
    world.until(lambda: world.hooks("web") == [])


def test_without_the_setting_an_instance_ends_unnoticed(world: LaunchWorld) -> None:
    place = world.servers("web")
    world.until(lambda: world.hooks("web"))
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    one = world.ec2.members("web")[0]
    world.end(one)
    gone(world, one)
    assert world.made("autoscalingTermination") == [] and world.has[one] == "one"
