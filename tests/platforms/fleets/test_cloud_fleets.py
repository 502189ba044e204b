"""Whole fleets in EC2 and Auto Scaling, as the corrected moto has them: made once, attached, and ended."""

import datetime as dt
from typing import Any

import pytest
from support.cloud import Cloud
from support.ec2_world import Ec2World

from runner.aws import Aws
from runner.config import InstancesConfig
from runner.inventory.ec2 import Ec2Instances
from runner.model.aws import AwsPlace
from runner.model.command import FleetTask, Outcome
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green
from runner.model.manifest import GroupSettings
from runner.model.rollout import Rollout
from runner.model.target import Host
from runner.platforms.fleets import CloudFleets
from runner.platforms.fleets.groups import copy_of

COPY = "CodeDeploy_live_d-ABCDEFGHI"
SETTINGS = GroupSettings(
    name="live",
    rollout=Rollout(name="x"),
    place=AwsPlace(region="eu-west-1"),
    green=Green(copy=True),
    platform="Server",
)


class Rig:
    def __init__(self, aws: Cloud) -> None:
        self.aws, self.world = aws, Ec2World(aws)
        self.blue = self.world.auto_scaling_group("web", 2, app="shop")
        self.said: list[str] = []
        self.limit = dt.timedelta(minutes=1)

    def task(self, event: str, *hosts: str, **changes: Any) -> FleetTask:
        given: dict[str, Any] = {
            "deployment_id": "d-ABCDEFGHI",
            "event": event,
            "application": "shop",
            "group": "live",
            "settings": SETTINGS,
            "original": Fleet(ec2=Ec2Targets(auto_scaling_groups=("web",))),
            "replacement": Fleet(ec2=Ec2Targets(auto_scaling_groups=(COPY,))),
            "hosts": tuple(Host(name=name, instance=name) for name in hosts or self.blue),
        }
        return FleetTask(**given | changes)

    async def act(self, task: FleetTask) -> Outcome:
        calls = Aws()
        instances = Ec2Instances(calls, InstancesConfig())
        fleets = CloudFleets(calls, instances.of, lambda: dt.datetime.now(dt.UTC), every=0.05, limit=self.limit)
        return await fleets.act(task, self.said.append)

    def shown(self, name: str) -> dict[str, Any]:
        (found,) = self.world.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ]
        return dict(found)

    def states(self, *instances: str) -> set[str]:
        told = self.world.ec2.describe_instances(InstanceIds=list(instances))
        return {each["State"]["Name"] for one in told["Reservations"] for each in one["Instances"]}


@pytest.fixture
def rig(aws: Cloud) -> Rig:
    return Rig(aws)


async def test_a_copy_has_as_many_instances_as_the_original_and_is_like_it(rig: Rig) -> None:
    outcome = await rig.act(rig.task("Provision"))
    assert outcome.succeeded, outcome
    made = rig.shown(COPY)
    assert sorted(host.instance for host in outcome.hosts) == sorted(each["InstanceId"] for each in made["Instances"])
    assert len(outcome.hosts) == 2 and not {host.instance for host in outcome.hosts} & set(rig.blue)
    original = rig.shown("web")
    for member in ("LaunchConfigurationName", "MinSize", "MaxSize", "DesiredCapacity", "VPCZoneIdentifier"):
        assert made[member] == original[member]
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert tags == {"app": "shop", "penstock:deployment": "d-ABCDEFGHI"}
    assert {host.tags["app"] for host in outcome.hosts} == {"shop"}


async def test_made_again_it_is_the_same_copy(rig: Rig) -> None:
    first = await rig.act(rig.task("Provision"))
    assert await rig.act(rig.task("Provision")) == first
    assert len(rig.aws.calls(operation="CreateAutoScalingGroup", mutating=True)) == 1


async def test_a_copy_whose_creation_was_never_answered_is_taken_up(rig: Rig) -> None:
    rig.aws.cut("autoscaling", "CreateAutoScalingGroup", times=1, carried_out=True)
    outcome = await rig.act(rig.task("Provision"))
    assert outcome.succeeded, outcome
    assert len(outcome.hosts) == 2


async def test_a_group_of_that_name_that_somebody_else_made_is_left_alone(rig: Rig) -> None:
    rig.world.auto_scaling_group(COPY, 1)
    outcome = await rig.act(rig.task("Provision"))
    assert (outcome.succeeded, outcome.code) == (False, "AUTO_SCALING_CONFIGURATION")
    assert "which this deployment has not made" in outcome.diagnostics.message


async def test_nothing_is_copied_from_a_group_without_instances_or_one_that_is_gone(rig: Rig) -> None:
    rig.world.auto_scaling_group("empty", 0)
    for name, code in (("empty", "NO_INSTANCES"), ("gone", "AUTO_SCALING_CONFIGURATION")):
        original = Fleet(ec2=Ec2Targets(auto_scaling_groups=(name,)))
        outcome = await rig.act(rig.task("Provision", original=original))
        assert (outcome.succeeded, outcome.code) == (False, code)
    assert rig.aws.calls(operation="CreateAutoScalingGroup", mutating=True) == []


async def test_instances_that_never_come_into_service_are_not_waited_for_for_ever(rig: Rig) -> None:
    rig.limit = dt.timedelta(seconds=1)
    rig.world.auto_scaling_group(COPY, 2, **{"penstock:deployment": "d-ABCDEFGHI"})
    rig.world.autoscaling.suspend_processes(AutoScalingGroupName=COPY, ScalingProcesses=["Launch"])
    rig.world.autoscaling.set_desired_capacity(AutoScalingGroupName=COPY, DesiredCapacity=5)
    outcome = await rig.act(rig.task("Provision"))
    assert (outcome.succeeded, outcome.code) == (False, "TIMEOUT")
    assert "2 of 5 instances of CodeDeploy_live_d-ABCDEFGHI are in service" in outcome.diagnostics.message


async def test_what_is_launched_later_gets_traffic_by_the_group_that_has_it(rig: Rig) -> None:
    group = rig.world.target_group("web")
    rig.world.autoscaling.attach_load_balancer_target_groups(AutoScalingGroupName="web", TargetGroupARNs=[group])
    await rig.act(rig.task("Provision"))
    assert rig.shown(COPY)["TargetGroupARNs"] == []
    for _ in range(2):  # the second time, it is done already
        assert (await rig.act(rig.task("Attach"))).succeeded
        assert (rig.shown("web")["TargetGroupARNs"], rig.shown(COPY)["TargetGroupARNs"]) == ([], [group])
    assert (await rig.act(rig.task("Attach", restoring=True))).succeeded
    assert (rig.shown("web")["TargetGroupARNs"], rig.shown(COPY)["TargetGroupARNs"]) == ([group], [])


async def test_the_original_ends_with_its_group_and_nothing_else_does(rig: Rig) -> None:
    other = rig.world.instance(app="shop")
    await rig.act(rig.task("Provision"))
    green = [each["InstanceId"] for each in rig.shown(COPY)["Instances"]]
    for _ in range(2):
        outcome = await rig.act(rig.task("Terminate"))
        assert outcome.succeeded, outcome
        told = rig.world.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])
        assert told["AutoScalingGroups"] == []
        assert rig.states(*rig.blue) == {"terminated"}
        assert rig.states(other, *green) == {"running"}
    assert len(rig.aws.calls(operation="DeleteAutoScalingGroup", mutating=True)) == 1


async def test_instances_found_by_tags_are_terminated_one_by_one(rig: Rig) -> None:
    old, new = rig.world.instance(app="old"), rig.world.instance(app="new")
    nothing = Fleet()
    outcome = await rig.act(rig.task("Terminate", old, original=nothing, replacement=nothing))
    assert outcome.succeeded, outcome
    assert (rig.states(old), rig.states(new)) == ({"terminated"}, {"running"})
    assert f"terminated: {old}\n" in rig.said


async def test_a_missing_permission_fails_the_act_and_says_which(rig: Rig) -> None:
    rig.aws.deny("autoscaling", "DeleteAutoScalingGroup")
    outcome = await rig.act(rig.task("Terminate"))
    assert (outcome.succeeded, outcome.code) == (False, "IAM_ROLE_PERMISSIONS")
    assert "autoscaling:DeleteAutoScalingGroup" in outcome.diagnostics.message


def test_a_template_is_copied_by_its_id_and_what_aws_adds_is_not() -> None:
    template = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "web", "Version": "3"}
    original = {
        "AutoScalingGroupName": "web",
        "AutoScalingGroupARN": "arn",
        "LaunchTemplate": template,
        "MinSize": 0,
        "MaxSize": 4,
        "DesiredCapacity": 2,
        "AvailabilityZones": ["eu-west-1a"],
        "TargetGroupARNs": ["tg"],
        "Instances": [],
        "PlacementGroup": "",
        "Tags": [
            {"Key": "aws:cloudformation:stack-name", "Value": "s", "PropagateAtLaunch": True},
            {"Key": "penstock:deployment", "Value": "d-EARLIER00", "PropagateAtLaunch": False},
        ],
    }
    assert copy_of(original, "copy", "d-NEW") == {
        "AutoScalingGroupName": "copy",
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "3"},
        "MinSize": 0,
        "MaxSize": 4,
        "DesiredCapacity": 2,
        "AvailabilityZones": ["eu-west-1a"],
        "Tags": [{"Key": "penstock:deployment", "Value": "d-NEW", "PropagateAtLaunch": False}],
    }


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize(
    ("event", "service", "operation"),
    [
        ("Provision", "autoscaling", "CreateAutoScalingGroup"),
        ("Attach", "autoscaling", "AttachLoadBalancerTargetGroups"),
        ("Attach", "autoscaling", "DetachLoadBalancerTargetGroups"),
        ("Terminate", "autoscaling", "DeleteAutoScalingGroup"),
        ("Terminate", "ec2", "TerminateInstances"),
    ],
)
async def test_a_call_that_is_cut_off_changes_nothing_of_how_an_act_ends(
    rig: Rig, event: str, service: str, operation: str, carried_out: bool
) -> None:
    alone = rig.world.instance(app="shop")  # of the original by its tags
    group = rig.world.target_group("web")
    rig.world.autoscaling.attach_load_balancer_target_groups(AutoScalingGroupName="web", TargetGroupARNs=[group])
    if event != "Provision":
        await rig.act(rig.task("Provision"))
    rig.aws.cut(service, operation, times=1, carried_out=carried_out)
    outcome = await rig.act(rig.task(event, *rig.blue, alone))
    assert outcome.succeeded, outcome
    assert len(rig.shown(COPY)["Instances"]) == 2
    if event == "Attach":
        assert (rig.shown("web")["TargetGroupARNs"], rig.shown(COPY)["TargetGroupARNs"]) == ([], [group])
    if event == "Terminate":
        assert rig.states(*rig.blue, alone) == {"terminated"}


async def test_a_group_that_is_busy_is_deleted_when_it_is_not_any_more(rig: Rig) -> None:
    rig.aws.fail("autoscaling", "DeleteAutoScalingGroup", times=2, code="ScalingActivityInProgress", status=400)
    outcome = await rig.act(rig.task("Terminate"))
    assert outcome.succeeded, outcome
    assert any("Auto Scaling group web is busy" in line for line in rig.said)
    assert rig.states(*rig.blue) == {"terminated"}
