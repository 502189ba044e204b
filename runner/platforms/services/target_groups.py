"""Target groups of Elastic Load Balancing: which they are, and how their targets do. Everything here blocks."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services.calls import Calls

Group = dict[str, Any]  # as DescribeTargetGroups shows it


def find(calls: Calls, wanted: Iterable[str]) -> dict[str, Group]:
    """Target groups by what they were asked for with: their names or ARNs. Raises `Refused` for one that is not there."""
    asked = list(dict.fromkeys(wanted))
    found: dict[str, Group] = {}
    arns = [each for each in asked if each.startswith("arn:")]
    names = [each for each in asked if not each.startswith("arn:")]
    for key, chosen, member in (("TargetGroupArns", arns, "TargetGroupArn"), ("Names", names, "TargetGroupName")):
        if chosen:
            found |= {each[member]: each for each in _describe(calls, key, chosen)}
    if missing := [each for each in asked if each not in found]:
        raise Refused("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", _absent(missing))
    return found


class Health(Counter[str]):
    """State (`healthy`, `initial`, `unhealthy`, `draining`, `unused`) to the number of targets in it."""

    @property
    def is_unknown(self) -> bool:
        """No load balancer forwards to the group, so nobody looks at its targets."""
        return bool(self) and self["unused"] == self.total() - self["draining"] > 0

    def __str__(self) -> str:
        return ", ".join(f"{number} {state}" for state, number in sorted(self.items())) or "no targets"


def health(calls: Calls, group: str) -> Health:
    """Of the targets that are registered with *group* (ARN)."""
    shown = calls.elb("describe_target_health", TargetGroupArn=group)["TargetHealthDescriptions"]
    return Health(each["TargetHealth"]["State"] for each in shown)


def sick(calls: Calls, group: str) -> list[str]:
    """One line for each kind of trouble that targets of *group* are in: `2 unhealthy: Health checks failed`."""
    shown = calls.elb("describe_target_health", TargetGroupArn=group)["TargetHealthDescriptions"]
    states = (each["TargetHealth"] for each in shown if each["TargetHealth"]["State"] not in ("healthy", "draining"))
    kinds = Counter((each["State"], each.get("Description") or each.get("Reason") or "") for each in states)
    return [f"{number} {state}: {why}" for (state, why), number in kinds.items()]


def _describe(calls: Calls, key: str, chosen: list[str]) -> list[Group]:
    try:
        return list(calls.elb("describe_target_groups", **{key: chosen})["TargetGroups"])
    except AwsError as error:
        if error.aws_code != "TargetGroupNotFound":
            raise
        raise Refused("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", f"{_absent(chosen)} ({error.message})") from error


def _absent(names: list[str]) -> str:
    return f"there is no target group {' or '.join(names)} in this account and region; see target_groups of the route"
