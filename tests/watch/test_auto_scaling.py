"""Instances that Auto Scaling launches get the last successful revision before they enter service; boto3, corrected moto."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from launch_world import LaunchWorld
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures
from support.functions import role

INSTALL = ["ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart"]


@pytest.fixture
def world(tmp_path: Path, aws: Cloud) -> Iterator[LaunchWorld]:  # noqa: F811 - the fixture
    with LaunchWorld(tmp_path, aws) as made:
        made.ec2.auto_scaling_group("web", 2)
        yield made


def hooked(world: LaunchWorld, **settings: object) -> dict[str, str]:
    """The deployment group, once its hook is there."""
    place = world.servers("web", **settings)  # type: ignore[arg-type]
    world.until(lambda: world.hooks("web"))
    return place


def test_statement_34_when_the_newest_deployment_failed_a_launched_host_gets_the_last_successful_revision(
    world: LaunchWorld,
) -> None:
    place = hooked(world)  # statement 34
    good = world.release(place, "good")
    assert world.ended(good)["status"] == "Succeeded"
    world.broken.add("bad")
    assert world.ended(world.release(place, "bad"))["status"] == "Failed"
    (new,) = world.launch("web")
    world.until(lambda: world.state("web", new) == "InService")
    assert world.has[new] == "good"
    (made,) = world.made("autoscaling")
    assert made["status"] == "Succeeded"
    assert made["revision"]["s3Location"]["key"] == "good"
    assert made["deploymentConfigName"] == "CodeDeployDefault.AllAtOnce"
    assert world.targets(made["deploymentId"]) == {new: [*INSTALL, "ValidateService"]}
    group = world.client.get_deployment_group(**place)["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == good
    assert group["lastAttemptedDeployment"]["status"] == "Failed"


def test_an_instance_that_the_revision_fails_on_is_abandoned(world: LaunchWorld) -> None:
    place = hooked(world, autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    world.broken.add("one")
    (new,) = world.launch("web")
    world.until(lambda: world.state("web", new) == "")
    world.broken.clear()
    (failed, *_) = world.made("autoscaling")
    assert failed["status"] == "Failed" and new not in world.has
    assert world.made("codeDeployRollback") == []
    world.until(lambda: len(world.ec2.members("web")) == 3)  # Auto Scaling launches another one
    world.until(lambda: all(world.state("web", each) == "InService" for each in world.ec2.members("web")))
    assert set(world.has.values()) == {"one"} and set(world.ec2.members("web")) == set(world.has)


def test_without_a_success_so_far_an_instance_enters_service_at_once(world: LaunchWorld) -> None:
    hooked(world)
    (new,) = world.launch("web")
    world.until(lambda: world.state("web", new) == "InService")
    assert world.client.list_deployments()["deployments"] == []


def test_it_runs_beside_a_deployment_of_the_group_and_is_brought_up_to_date_afterwards(world: LaunchWorld) -> None:
    place = hooked(world)
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    world.held.set()
    root = world.release(place, "two")
    world.until(lambda: set(world.has.values()) == {"two"})
    (new,) = world.launch("web")
    world.until(lambda: world.has.get(new) == "one")
    assert {each["status"] for each in map(world.get, world.client.list_deployments()["deployments"][:2])} == {
        "InProgress"
    }
    world.held.clear()
    assert world.ended(root)["status"] == "Succeeded"
    world.until(lambda: world.made("CodeDeployAutoUpdate"))
    (update,) = world.made("CodeDeployAutoUpdate")
    assert update["updateOutdatedInstancesOnly"] is True
    assert world.ended(update["deploymentId"])["status"] == "Succeeded"
    assert world.has[new] == "two"
    assert set(world.targets(update["deploymentId"])) == {new}
    (launch,) = world.made("autoscaling")
    assert launch["status"] == "Succeeded" and "relatedDeployments" not in launch
    assert update["relatedDeployments"]["autoUpdateOutdatedInstancesRootDeploymentId"] == root
    related = world.get(root)["relatedDeployments"]
    assert related == {"autoUpdateOutdatedInstancesDeploymentIds": [update["deploymentId"]]}


def test_an_instance_that_waits_for_its_deployment_is_kept_waiting_by_heartbeats(
    world: LaunchWorld,
    aws: Cloud,  # noqa: F811 - the fixture
) -> None:
    place = hooked(world)
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    world.held.set()
    aws.forget()
    (new,) = world.launch("web")
    world.until(lambda: world.has.get(new) == "one")
    first = len(aws.calls(operation="RecordLifecycleActionHeartbeat"))
    assert first == 1
    world.later(minutes=6)
    world.until(lambda: len(aws.calls(operation="RecordLifecycleActionHeartbeat")) == first + 1)
    assert world.state("web", new) == "Pending:Wait"
    world.held.clear()
    world.until(lambda: world.state("web", new) == "InService")
    assert len(aws.calls(operation="CompleteLifecycleAction")) == 1


def test_one_that_raced_keeps_its_revision_where_the_group_ignores_outdated_instances(world: LaunchWorld) -> None:
    place = hooked(world, outdatedInstancesStrategy="IGNORE")
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    world.held.set()
    root = world.release(place, "two")
    world.until(lambda: set(world.has.values()) == {"two"})
    (new,) = world.launch("web")
    world.until(lambda: world.has.get(new) == "one")
    world.held.clear()
    assert world.ended(root)["status"] == "Succeeded"
    world.until(lambda: world.state("web", new) == "InService")
    world.until(lambda: world.store.lifecycle_actions.actions() == [])
    assert world.made("CodeDeployAutoUpdate") == [] and world.has[new] == "one"


def test_hooks_come_and_go_with_the_group(world: LaunchWorld) -> None:
    place = hooked(world)
    (hook,) = world.hooks("web")
    assert hook["LifecycleHookName"].startswith("CodeDeploy-managed-automatic-launch-deployment-hook-live-")
    assert (hook["DefaultResult"], hook["HeartbeatTimeout"]) == ("ABANDON", 600)
    group = world.client.get_deployment_group(**place)["deploymentGroupInfo"]
    assert group["autoScalingGroups"] == [{"name": "web", "hook": hook["LifecycleHookName"]}]
    change = {"applicationName": place["applicationName"], "currentDeploymentGroupName": "live"}
    world.client.update_deployment_group(**change, newDeploymentGroupName="other")
    world.until(lambda: ["-hook-other-" in each["LifecycleHookName"] for each in world.hooks("web")] == [True])
    world.until(lambda: len(world.store.lifecycle_actions.installed()) == 1)
    change["currentDeploymentGroupName"] = "other"
    (hook,) = world.hooks("web")
    left = world.client.update_deployment_group(**change, autoScalingGroups=[])["hooksNotCleanedUp"]
    assert left == [{"name": "web", "hook": hook["LifecycleHookName"]}]
    world.until(lambda: world.hooks("web") == [])
    world.client.update_deployment_group(**change, autoScalingGroups=["web"])
    world.until(lambda: world.hooks("web"))
    world.client.delete_deployment_group(applicationName=place["applicationName"], deploymentGroupName="other")
    world.until(lambda: world.hooks("web") == [])
    world.until(lambda: world.store.lifecycle_actions.installed() == [])


def test_a_group_that_acts_by_another_role_keeps_its_hook(world: LaunchWorld) -> None:
    place = hooked(world)
    role(world.aws, "other")
    world.client.update_deployment_group(
        applicationName=place["applicationName"],
        currentDeploymentGroupName="live",
        serviceRoleArn="arn:aws:iam::111122223333:role/other",
    )
    world.until(lambda: ["other" in str(each.place) for each in world.store.lifecycle_actions.installed()] == [True])
    assert len(world.hooks("web")) == 1


def test_a_result_whose_answer_was_lost_is_told_again_and_counts_once(world: LaunchWorld) -> None:
    place = hooked(world)
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    world.aws.fail("autoscaling", "CompleteLifecycleAction", times=1, status=500, carried_out=True)
    (new,) = world.launch("web")
    world.until(lambda: world.state("web", new) == "InService")
    world.until(lambda: world.store.lifecycle_actions.actions() == [])
    assert len(world.made("autoscaling")) == 1


def test_an_instance_that_is_terminated_meanwhile_is_deployed_to_no_further(world: LaunchWorld) -> None:
    place = hooked(world)
    assert world.ended(world.release(place, "one"))["status"] == "Succeeded"
    world.held.set()
    (new,) = world.launch("web")
    world.until(lambda: world.has.get(new) == "one")
    world.ec2.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=new, ShouldDecrementDesiredCapacity=True)
    world.until(lambda: [each.result for each in world.store.lifecycle_actions.actions()] == [])
    (made,) = world.made("autoscaling")
    assert world.store.deployment(made["deploymentId"]).stop_requested
    world.held.clear()
    world.ended(made["deploymentId"])
