"""What a deployment group that replaces its hosts must say, beyond the schema."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from runner.errors import UserError
from runner.model.duration import parse_duration
from runner.render.views import mapping

Path: TypeAlias = tuple[Any, ...]

_LONGEST_HOURS = 48  # of a wait. Source: CodeDeploy user guide, "Deployments limits"


def blue_green(path: Path, group: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """*path*: of the group's `blue_green`. What is wrong with it, each with where."""
    data, targets = group["blue_green"], _hosts(group.get("targets"))
    if "load_balancer" not in group:
        yield path, "moves traffic, and the group has no load_balancer; give one"
    if "green" in data and "copy" in data:
        yield (*path, "copy"), "either other hosts (green) or a copy: leave out one of the two"
    elif "green" not in data and "copy" not in data:
        yield path, "names no replacement; give green: {tags: {KEY: VALUE}}, or copy: true"
    elif "copy" in data and (list(targets) != ["auto_scaling_groups"] or len(targets["auto_scaling_groups"]) != 1):
        yield (
            (*path, "copy"),
            "copies the one Auto Scaling group of targets; give targets: {auto_scaling_groups: [NAME]}",
        )
    elif "green" in data and data["green"] == targets:
        yield (*path, "green"), "names the same hosts as targets; name those that are to replace them"
    if "termination_hook" in mapping(data.get("green")):
        yield (*path, "green", "termination_hook"), "goes for both fleets; say it in targets"
    for where, hosts in ((path[:-1], targets), (path, mapping(data.get("green")))):
        if "suspend_processes" in hosts:
            key = "targets" if hosts is targets else "green"
            yield (*where, key, "suspend_processes"), "is for hosts that are deployed to in place; leave it out"
    if "after" in data and data.get("original") != "terminate":
        yield (*path, "after"), "is for original: terminate; hosts that are kept are kept for good"
    for key, value in (("ready", mapping(data.get("ready")).get("wait")), ("after", data.get("after"))):
        if _is_too_long(value):
            yield (*path, key), f"is longer than {_LONGEST_HOURS} hours, which is the most"


def _hosts(targets: Any) -> dict[str, Any]:
    """*targets* without what does not say which hosts they are."""
    return {key: value for key, value in mapping(targets).items() if key != "termination_hook"}


def _is_too_long(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse_duration(value).total_seconds() > _LONGEST_HOURS * 3600
    except UserError:  # the schema says what is wrong with it
        return False
