"""The end of the original fleet: its Auto Scaling groups are deleted, and its instances terminated."""

from functools import partial

from runner.aws import AwsError
from runner.model.command import FleetTask
from runner.platforms.fleets.groups import AutoScaling
from runner.platforms.fleets.work import Work

_AT_ONCE = 100  # instances in a call
# Source: Auto Scaling API reference, "DeleteAutoScalingGroup".
_BUSY = ("ScalingActivityInProgress", "ResourceInUse", "ResourceContention")


async def terminate(work: Work, groups: AutoScaling, task: FleetTask) -> None:
    """Only what was of the original when the deployment began, and what its Auto Scaling groups have. Raises `AwsError`."""
    for name in task.original.ec2.auto_scaling_groups:
        if name not in task.replacement.ec2.auto_scaling_groups:
            await work.until(partial(_undeleted, groups, name, work))
    instances = sorted(host.instance for host in task.hosts if host.instance)
    for start in range(0, len(instances), _AT_ONCE):
        await work.insist(partial(_terminate, groups, instances[start : start + _AT_ONCE], work))
    for name in task.original.ec2.auto_scaling_groups:
        if name not in task.replacement.ec2.auto_scaling_groups:
            await work.until(partial(_remains, groups, name))


def _undeleted(groups: AutoScaling, name: str, work: Work) -> str:
    """Delete it with all of its instances; otherwise it would launch new ones in place of those that are terminated."""
    shown = groups.find(name)
    if shown is None or shown.get("Status"):  # a status says that it is being deleted already
        return ""
    try:
        groups.call("delete_auto_scaling_group", AutoScalingGroupName=name, ForceDelete=True)
    except AwsError as error:
        if error.aws_code in _BUSY:
            return f"Auto Scaling group {name} is busy: {error.message}"
        if groups.find(name) is not None:
            raise
    work.say(f"Auto Scaling group {name} is deleted with its instances")
    return ""


def _terminate(groups: AutoScaling, instances: list[str], work: Work) -> None:
    if alive := groups.alive(instances):
        groups.ec2("terminate_instances", InstanceIds=alive)
        work.say(f"terminated: {', '.join(alive)}")


def _remains(groups: AutoScaling, name: str) -> str:
    shown = groups.find(name)
    return "" if shown is None else f"Auto Scaling group {name} has {len(shown['Instances'])} instances to end"
