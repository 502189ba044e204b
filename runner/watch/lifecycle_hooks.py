"""Lifecycle hooks of Auto Scaling groups, as AWS has them.

An action of a hook is named by its instance, so that no token has to be kept, and every call here may be repeated after a
crash. Source: Amazon EC2 Auto Scaling API reference; user guide, "Amazon EC2 Auto Scaling lifecycle hooks".
"""

from collections.abc import Iterable, Iterator
from typing import Any

from runner.aws import Aws
from runner.aws.errors import AwsError
from runner.model.aws import AwsPlace
from runner.model.ec2 import Transition
from runner.model.lifecycle_actions import ActionResult, LifecycleHook

HEARTBEAT = 600  # seconds after which Auto Scaling decides by itself about an instance that nobody cares for

_WHEN: dict[Transition, dict[str, str]] = {
    "launching": {"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "DefaultResult": "ABANDON"},
    "terminating": {"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "DefaultResult": "CONTINUE"},
}
_AT_ONCE = 100  # names of groups, IDs of instances
_NOT_THERE = "ValidationError"  # of Auto Scaling: no such group, hook, or action


class LifecycleHooks:
    """Every method blocks, and raises `AwsError`."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def groups(self, place: AwsPlace, names: Iterable[str]) -> dict[str, Any]:
        """The Auto Scaling groups that are there, by name, as DescribeAutoScalingGroups has them."""
        found: list[Any] = []
        for some in _some(sorted(names)):
            asked = {"AutoScalingGroupNames": some}
            found += self._aws.pages(place, "autoscaling", "describe_auto_scaling_groups", asked, "AutoScalingGroups")
        return {group["AutoScalingGroupName"]: group for group in found}

    def running(self, place: AwsPlace, instances: list[str]) -> Iterator[str]:
        """Those that have booted so far that they have their addresses."""
        for some in _some(instances):
            filters = [{"Name": "instance-id", "Values": some}, {"Name": "instance-state-name", "Values": ["running"]}]
            found = self._aws.pages(place, "ec2", "describe_instances", {"Filters": filters}, "Reservations")
            yield from (each["InstanceId"] for reservation in found for each in reservation["Instances"])

    def put(self, hook: LifecycleHook) -> None:
        self._call(hook, "put_lifecycle_hook", **_WHEN[hook.transition], HeartbeatTimeout=HEARTBEAT)

    def delete(self, hook: LifecycleHook) -> None:
        """Also one that is not there."""
        self._is_there(hook, "delete_lifecycle_hook")

    def beat(self, hook: LifecycleHook, instance: str) -> bool:
        """False: *hook* does not hold *instance*."""
        return self._is_there(hook, "record_lifecycle_action_heartbeat", InstanceId=instance)

    def complete(self, hook: LifecycleHook, instance: str, result: ActionResult) -> None:
        """A process that died may have said it before, and Auto Scaling may have decided by itself."""
        self._is_there(hook, "complete_lifecycle_action", InstanceId=instance, LifecycleActionResult=result)

    def is_same(self, one: LifecycleHook, other: LifecycleHook) -> bool:
        """Whether only the role differs by which we reach the hook."""
        if (one.name, one.auto_scaling_group) != (other.name, other.auto_scaling_group):
            return False
        return all(of(one.place) == of(other.place) for of in (self._aws.region, self._aws.account))

    def _is_there(self, hook: LifecycleHook, operation: str, **parameters: Any) -> bool:
        try:
            self._call(hook, operation, **parameters)
        except AwsError as error:
            if error.aws_code != _NOT_THERE:
                raise
            return False
        return True

    def _call(self, hook: LifecycleHook, operation: str, **parameters: Any) -> None:
        named = {"AutoScalingGroupName": hook.auto_scaling_group, "LifecycleHookName": hook.name}
        self._aws.call(hook.place, "autoscaling", operation, {**named, **parameters})


def _some(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
