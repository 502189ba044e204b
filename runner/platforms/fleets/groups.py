"""Auto Scaling groups: how they are, and what a copy of one is made of."""

from collections.abc import Mapping
from typing import Any

from runner.aws import Aws
from runner.errors import Refused
from runner.model.aws import AwsPlace

Shown = Mapping[str, Any]
"""An Auto Scaling group as DescribeAutoScalingGroups has it."""

# What a copy is like. Not: its name, its load balancers (it gets those with the traffic), and what has APIs of its own:
# scaling policies, scheduled actions, lifecycle hooks, notifications, suspended processes.
# Source: Auto Scaling API reference, "CreateAutoScalingGroup".
_COPIED = (
    "LaunchConfigurationName",
    "LaunchTemplate",
    "MixedInstancesPolicy",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "DesiredCapacityType",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "PlacementGroup",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "MaxInstanceLifetime",
    "CapacityRebalance",
    "Context",
    "InstanceMaintenancePolicy",
)
_OUR_TAG = "penstock:deployment"


class AutoScaling:
    """The calls that fleets need, at one place. Every method blocks, and may raise `AwsError`."""

    def __init__(self, aws: Aws, place: AwsPlace) -> None:
        self._aws, self._place = aws, place

    def find(self, name: str) -> Shown | None:
        found = self.call("describe_auto_scaling_groups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return found[0] if found else None

    def get(self, name: str) -> Shown:
        """Raises `Refused`."""
        if (found := self.find(name)) is None:
            raise Refused(
                "AUTO_SCALING_CONFIGURATION", f"there is no Auto Scaling group {name} in {self._place}; it was deleted"
            )
        return found

    def copy(self, original: Shown, name: str, deployment_id: str) -> None:
        """Make it. There must be none of that name."""
        self.call("create_auto_scaling_group", **copy_of(original, name, deployment_id))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._aws.call(self._place, "autoscaling", operation, params)

    def ec2(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._aws.call(self._place, "ec2", operation, params)

    def alive(self, instances: list[str]) -> list[str]:
        """Those of *instances* that are not terminated, nor about to be."""
        states = ["pending", "running", "stopping", "stopped"]
        filters = [{"Name": "instance-id", "Values": instances}, {"Name": "instance-state-name", "Values": states}]
        shown = self._aws.pages(self._place, "ec2", "describe_instances", {"Filters": filters}, "Reservations")
        return sorted(each["InstanceId"] for reservation in shown for each in reservation["Instances"])


def copy_of(original: Shown, name: str, deployment_id: str) -> dict[str, Any]:
    """What CreateAutoScalingGroup is asked for, for a group like *original*."""
    made = {member: original[member] for member in _COPIED if original.get(member) not in (None, "", [])}
    if zones := original.get("VPCZoneIdentifier"):
        made["VPCZoneIdentifier"] = zones  # the subnets say in which availability zones they are
    else:
        made["AvailabilityZones"] = original["AvailabilityZones"]
    if "LaunchTemplate" in made:
        made["LaunchTemplate"] = _template(made["LaunchTemplate"])
    if "MixedInstancesPolicy" in made:
        made.pop("LaunchTemplate", None)
    tags = [
        {"Key": tag["Key"], "Value": tag.get("Value", ""), "PropagateAtLaunch": tag["PropagateAtLaunch"]}
        for tag in original.get("Tags") or ()
        if not tag["Key"].startswith("aws:") and tag["Key"] != _OUR_TAG
    ]
    ours = {"Key": _OUR_TAG, "Value": deployment_id, "PropagateAtLaunch": False}
    return {**made, "AutoScalingGroupName": name, "Tags": [*tags, ours]}


def is_ours(shown: Shown, deployment_id: str) -> bool:
    """Whether that deployment has made it."""
    tags = {tag["Key"]: tag.get("Value") for tag in shown.get("Tags") or ()}
    return tags.get(_OUR_TAG) == deployment_id


def _template(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Its ID and name are both told, and only one may be given."""
    return {member: shown[member] for member in ("LaunchTemplateId", "Version") if member in shown}
