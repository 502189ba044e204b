"""Instances that Auto Scaling launches and ends: the real program, killed right after each of its calls to Auto Scaling."""

from pathlib import Path

import pytest
from instance_fleet import instance_fleet
from support.cloud import Cloud

AGENTS = (
    '[instances]\ntransport = "agent"\n'  # nobody answers for an instance: its deployment goes on until it is stopped
)
CALLS = ("PutLifecycleHook", "RecordLifecycleActionHeartbeat", "CompleteLifecycleAction")


@pytest.mark.parametrize("call", CALLS)
def test_killed_right_after_a_call_an_instance_is_deployed_to_once(tmp_path: Path, aws: Cloud, call: str) -> None:
    with instance_fleet(tmp_path, aws, zones=(0,), config=AGENTS) as fleet:
        fleet.ended(fleet.deploy(fleet.group(), "one"))
        fleet.world.auto_scaling_group("web", 0)
        scaling, server = fleet.world.autoscaling, fleet.served.server
        aws.forget()
        aws.kill_after(server.pid, CALLS.index(call) + 1)

        def killed_after(name: str) -> None:
            if name == call:
                fleet.until(aws.killed, "the kill")
                server.kill()
                server.start()

        def launches() -> list[str]:
            ids = fleet.client.list_deployments()["deployments"]
            return [each for each in ids if fleet.served.get(each)["creator"] == "autoscaling"]

        fleet.client.update_deployment_group(
            applicationName="shop", currentDeploymentGroupName="live", autoScalingGroups=["web"]
        )
        killed_after("PutLifecycleHook")
        fleet.until(lambda: scaling.describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"], "the hook")
        scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
        scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
        (instance,) = fleet.world.members("web")
        killed_after("RecordLifecycleActionHeartbeat")
        fleet.until(launches, "the deployment")
        (made,) = launches()
        fleet.until(lambda: fleet.served.get(made)["status"] == "InProgress", "its begin")
        assert set(fleet.targets(made)) == {instance}
        fleet.client.stop_deployment(deploymentId=made)
        killed_after("CompleteLifecycleAction")
        fleet.until(lambda: fleet.world.members("web") == [], "the end of the instance")
        assert fleet.ended(made, "Stopped") and launches() == [made]
        changed = [each.operation for each in aws.calls(mutating=True, service="autoscaling")]
        assert sorted(set(changed)) == sorted(CALLS)


@pytest.mark.parametrize(("call", "number"), list(zip(CALLS, (1, 3, 4), strict=True)))
def test_killed_right_after_a_call_an_instance_that_ends_is_stopped_once(
    tmp_path: Path, aws: Cloud, call: str, number: int
) -> None:
    """Its own scripts end the application; it is a host of the configuration, with a name of its own."""
    with instance_fleet(tmp_path, aws, zones=(0,)) as fleet:
        (instance,) = fleet.instances
        scaling, server = fleet.world.autoscaling, fleet.served.server
        fleet.world.auto_scaling_group("web", 0)
        scaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[instance])
        fleet.ended(fleet.deploy(fleet.group(), "one"))
        running = fleet.folders[instance] / "app.pid"
        assert running.exists()
        aws.forget()
        aws.kill_after(server.pid, number)

        def killed_after(*names: str) -> None:
            if call in names:
                fleet.until(aws.killed, "the kill")
                server.kill()
                server.start()

        def ends() -> list[str]:
            ids = fleet.client.list_deployments()["deployments"]
            return [each for each in ids if fleet.served.get(each)["creator"] == "autoscalingTermination"]

        def hooks() -> list[object]:
            return list(scaling.describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"])

        fleet.client.update_deployment_group(
            applicationName="shop",
            currentDeploymentGroupName="live",
            autoScalingGroups=["web"],
            terminationHookEnabled=True,
        )
        killed_after("PutLifecycleHook")
        fleet.until(lambda: len(hooks()) == 2, "both hooks")
        scaling.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=True)
        killed_after("RecordLifecycleActionHeartbeat", "CompleteLifecycleAction")
        fleet.until(lambda: fleet.world.members("web") == [], "the end of the instance")
        (made,) = ends()
        assert fleet.ended(made)["creator"] == "autoscalingTermination"
        target = fleet.targets(made)[instance]
        assert [event["lifecycleEventName"] for event in target["lifecycleEvents"]] == ["ApplicationStop"]
        assert not running.exists()
        changed = [each.operation for each in aws.calls(mutating=True, service="autoscaling")]
        assert set(CALLS) <= set(changed)
