"""In-place deployments to EC2 instances behind a target group: the real program, boto3, and requests all the while."""

from pathlib import Path

import pytest
from instance_fleet import instance_fleet
from support.cloud import Cloud
from support.traffic import Load

BEHIND = {"targetGroupInfoList": [{"name": "web"}]}


def test_a_rolling_deployment_loses_no_request(tmp_path: Path, aws: Cloud) -> None:
    with instance_fleet(tmp_path, aws) as fleet:
        place = fleet.group(loadBalancerInfo=BEHIND)
        fleet.ended(fleet.deploy(place, "one"))
        assert fleet.world.states(fleet.target_group) == dict.fromkeys(fleet.instances, "healthy")
        with Load(fleet.world.open(fleet.listener), parallel=4) as load:
            load.wait_for(50)
            fleet.aws.forget()
            made = fleet.deploy(place, "two")
            fleet.ended(made)
            load.wait_for(50)
        assert load.failures == []
        assert set(load.shares()) == {"one", "two"} and set(load.shares(last=20)) == {"two"}
        taken_out = [each.params for each in fleet.aws.calls(operation="DeregisterTargets")]
        assert len(taken_out) == len(fleet.instances)
        for target in fleet.targets(made).values():
            events = [each["lifecycleEventName"] for each in target["lifecycleEvents"]]
            assert events[1] == "BlockTraffic" and events[-2] == "AllowTraffic"
        fleet.until(
            lambda: fleet.world.states(fleet.target_group) == dict.fromkeys(fleet.instances, "healthy"), "health"
        )


@pytest.mark.parametrize("call", [1, 2])  # DeregisterTargets, RegisterTargets
def test_killed_right_after_a_call_the_next_process_does_the_rest(tmp_path: Path, aws: Cloud, call: int) -> None:
    with instance_fleet(tmp_path, aws, zones=(0,)) as fleet:
        place = fleet.group(loadBalancerInfo=BEHIND)
        fleet.ended(fleet.deploy(place, "one"))
        fleet.aws.forget()
        server = fleet.served.server
        aws.kill_after(server.pid, call)
        made = fleet.deploy(place, "two")
        fleet.until(aws.killed, "the kill")
        server.kill()
        server.start()
        fleet.ended(made)
        assert fleet.world.states(fleet.target_group) == dict.fromkeys(fleet.instances, "healthy")
        changed = [each.operation for each in aws.calls(mutating=True, service="elbv2")]
        assert sorted(set(changed)) == ["DeregisterTargets", "RegisterTargets"]
        assert (fleet.folders[fleet.instances[0]] / "srv" / "version").read_text() == "two"


def test_zones_follow_each_other(tmp_path: Path, aws: Cloud) -> None:
    with instance_fleet(tmp_path, aws, zones=(2, 0, 1, 0, 2, 1)) as fleet:
        fleet.client.create_deployment_config(
            deploymentConfigName="zone-by-zone",
            minimumHealthyHosts={"type": "HOST_COUNT", "value": 1},
            zonalConfig={"minimumHealthyHostsPerZone": {"type": "HOST_COUNT", "value": 0}},
        )
        made = fleet.deploy(fleet.group("zone-by-zone"), "one")
        fleet.ended(made)
        targets = fleet.targets(made)
        assert set(targets) == set(fleet.instances)
        times = {
            zone: [
                (target["lifecycleEvents"][0]["startTime"], target["lifecycleEvents"][-1]["endTime"])
                for name, target in targets.items()
                if fleet.zones[name] == zone
            ]
            for zone in fleet.world.zones
        }
        for before, after in zip(fleet.world.zones, fleet.world.zones[1:], strict=False):
            assert max(end for _, end in times[before]) <= min(start for start, _ in times[after])


def test_a_deployment_without_instances_or_with_a_wrong_balancer_touches_nothing(tmp_path: Path, aws: Cloud) -> None:
    with instance_fleet(tmp_path, aws, zones=(0,)) as fleet:
        place = fleet.group(ec2TagFilters=[{"Key": "app", "Value": "nobody", "Type": "KEY_AND_VALUE"}])
        told = fleet.ended(fleet.deploy(place, "one"), "Failed")
        assert told["errorInformation"]["code"] == "NO_INSTANCES"
        assert "no EC2 instance in eu-west-1 by app=nobody" in told["errorInformation"]["message"]
        change = {"applicationName": "shop", "currentDeploymentGroupName": "live"}
        fleet.client.update_deployment_group(**change, ec2TagFilters=[], autoScalingGroups=["web-prod"])
        told = fleet.ended(fleet.deploy(place, "one"), "Failed")
        assert told["errorInformation"]["code"] == "AUTO_SCALING_CONFIGURATION"
        assert "no Auto Scaling group web-prod" in told["errorInformation"]["message"]
        fleet.client.update_deployment_group(
            **change,
            autoScalingGroups=[],
            ec2TagFilters=[{"Key": "app", "Type": "KEY_ONLY"}],
            deploymentStyle={"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            loadBalancerInfo={"targetGroupInfoList": [{"name": "wbe"}]},
        )
        told = fleet.ended(fleet.deploy(place, "one"), "Failed")
        assert told["errorInformation"]["code"] == "ELASTIC_LOAD_BALANCING_INVALID"
        assert "no target group wbe" in told["errorInformation"]["message"]
        assert not (fleet.folders[fleet.instances[0]] / "srv").exists()


def test_auto_scaling_leaves_a_deployment_its_instances_whatever_happens_to_the_server(
    tmp_path: Path, aws: Cloud
) -> None:
    def suspended() -> set[str]:
        (found,) = fleet.world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {each["ProcessName"] for each in found["SuspendedProcesses"]}

    with instance_fleet(tmp_path, aws, zones=(0,)) as fleet:
        fleet.world.auto_scaling_group("web", 0)
        fleet.world.autoscaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ScheduledActions"])
        options = {"autoScalingGroupProcessesToSuspend": ["Terminate", "ScheduledActions"]}
        place = fleet.group(loadBalancerInfo=BEHIND, autoScalingGroups=["web"], ec2DeploymentOptions=options)
        fleet.aws.forget()
        made = fleet.deploy(place, "one")
        fleet.ended(made)
        assert fleet.served.get(made)["ec2DeploymentOptions"] == options
        fleet.until(lambda: suspended() == {"ScheduledActions"}, "resuming")
        calls = [(each.operation, each.params.get("ScalingProcesses")) for each in aws.calls(mutating=True)]
        assert [each for each in calls if each[0].endswith(("Processes", "Targets"))] == [
            ("SuspendProcesses", ["Terminate"]),
            ("RegisterTargets", None),
            ("ResumeProcesses", ["Terminate"]),
        ]
        server = fleet.served.server
        with aws.hold("autoscaling", "SuspendProcesses", carried_out=True) as held:
            made = fleet.deploy(place, "two")
            held.wait_for(1)
            server.kill()
        assert suspended() == {"Terminate", "ScheduledActions"}
        server.start()
        fleet.ended(made)
        fleet.until(lambda: suspended() == {"ScheduledActions"}, "resuming")
        aws.deny("autoscaling", "SuspendProcesses")
        told = fleet.ended(fleet.deploy(place, "three"), "Failed")["errorInformation"]
        assert told["code"] == "IAM_ROLE_PERMISSIONS" and "autoscaling:SuspendProcesses" in told["message"]
        assert (fleet.folders[fleet.instances[0]] / "srv" / "version").read_text() == "two"
