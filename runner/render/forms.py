"""The manifest's `function`, `service`, `aws`, `targets`, `blue_green` and `load_balancer` as values.

The data has passed the schema and the rules of its platform.
"""

from collections.abc import Mapping
from typing import Any

from runner.model.aws import AwsPlace
from runner.model.duration import parse_duration
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green
from runner.model.functions import FunctionSettings
from runner.model.manifest import BlueGreen
from runner.model.services import Route, ServiceSettings
from runner.model.tags import TagFilter
from runner.model.traffic import Backend, LoadBalancing
from runner.render.names import Names


def function(data: dict[str, Any] | None) -> FunctionSettings | None:
    return FunctionSettings(name=data["name"], alias=data["alias"], hooks=data.get("hooks", {})) if data else None


def service(data: dict[str, Any] | None, names: Names) -> ServiceSettings | None:
    """*names*: what the group's templates see, kept for the task definition's, which is read with each deployment."""
    if data is None:
        return None
    container = data.get("container", {})
    return ServiceSettings(
        cluster=data["cluster"],
        name=data["name"],
        routes=tuple(_route(each) for each in data.get("routes", [])),
        task_definition=data.get("task_definition"),
        container=container.get("name"),
        port=container.get("port"),
        hooks=data.get("hooks", {}),
        names=_plain(names) if "task_definition" in data else {},
    )


def place(*layers: Mapping[str, str]) -> AwsPlace:
    """A later layer over an earlier one."""
    merged = {key: value for layer in layers for key, value in layer.items()}
    return AwsPlace(region=merged.get("region"), role=merged.get("role"))


def tags(data: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(value) if isinstance(value, list) else (value,) for key, value in data.items()}


def ec2(targets: dict[str, Any]) -> Ec2Targets:
    """Of a key, one of the values must be there: each key is a group of the tag set."""
    wanted = tags(targets.get("ec2", {}).get("tags", {}))
    return Ec2Targets(
        tag_set=tuple(tuple(TagFilter(key=key, value=value) for value in values) for key, values in wanted.items()),
        auto_scaling_groups=tuple(targets.get("auto_scaling_groups", ())),
        suspended=tuple(targets.get("suspend_processes", ())),
    )


def green(data: dict[str, Any] | None) -> Green | None:
    """Of a group's `blue_green`."""
    if data is None:
        return None
    if data.get("copy"):
        return Green(copy=True)
    fleet = data["green"]
    return Green(fleet=Fleet(tags=tags(fleet.get("tags", {})), ec2=ec2(fleet)))


def waits(data: dict[str, Any] | None) -> BlueGreen:
    """Of a group's `blue_green`."""
    if data is None:
        return BlueGreen()
    ready, ends = data.get("ready"), data.get("original") == "terminate"
    return BlueGreen(
        ready_wait=parse_duration(ready["wait"]) if ready else None,
        termination_wait=parse_duration(data.get("after", "0s")) if ends else None,
    )


def load_balancer(data: dict[str, Any] | None, place: AwsPlace) -> LoadBalancing | None:
    if data is None:
        return None
    pairs = [backend.split("/", 1) for backend in data.get("haproxy", ())]
    return LoadBalancing(
        haproxy=tuple(Backend(load_balancer=balancer, name=name) for balancer, name in pairs),
        target_groups=tuple(data.get("target_groups", ())),
        classic=tuple(data.get("classic", ())),
        place=place,
    )


def _route(data: dict[str, Any]) -> Route:
    return Route(
        listener=data["listener"],
        test_listener=data.get("test_listener"),
        target_groups=tuple(data["target_groups"]),
    )


def _plain(names: Names) -> dict[str, Any]:
    """As it is stored: without `env`, which a manifest may hand on, value by value, as `vars`."""
    return {key: _plain(value) if isinstance(value, Names) else value for key, value in names.items() if key != "env"}
