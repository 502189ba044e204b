"""The replacement's Auto Scaling group: a copy of the original's, until all of its instances are in service."""

from functools import partial

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.command import FleetTask
from runner.platforms.fleets.groups import AutoScaling, Shown, is_ours
from runner.platforms.fleets.work import Work

_THERE = "AlreadyExists"


async def provision(work: Work, groups: AutoScaling, task: FleetTask) -> None:
    """Raises `Refused`, `AwsError`."""
    (original,), (name,) = task.original.ec2.auto_scaling_groups, task.replacement.ec2.auto_scaling_groups
    await work.insist(partial(_make, groups, original, name, task.deployment_id))
    work.say(f"Auto Scaling group {name}, a copy of {original}")
    await work.until(partial(_missing, groups, name))


def _make(groups: AutoScaling, original: str, name: str, deployment_id: str) -> None:
    there = groups.find(name)
    if there is None:
        shown = groups.get(original)
        if not shown["DesiredCapacity"]:
            raise Refused(
                "NO_INSTANCES", f"Auto Scaling group {original} wants no instances, and neither would its copy"
            )
        try:
            groups.copy(shown, name, deployment_id)
        except AwsError as error:
            if error.aws_code != _THERE:
                raise
            there = groups.find(name)
    if there is not None and not is_ours(there, deployment_id):
        raise Refused(
            "AUTO_SCALING_CONFIGURATION",
            f"there is an Auto Scaling group {name} already, which this deployment has not made; delete or rename it",
        )


def _missing(groups: AutoScaling, name: str) -> str:
    shown = groups.get(name)
    wanted, ready = shown["DesiredCapacity"], in_service(shown)
    if ready >= wanted:
        return ""
    others = sorted(f"{each['InstanceId']} {each['LifecycleState']}" for each in shown["Instances"])
    return f"{ready} of {wanted} instances of {name} are in service ({', '.join(others) or 'none was launched yet'})"


def in_service(shown: Shown) -> int:
    return sum(each["LifecycleState"] == "InService" for each in shown["Instances"])
