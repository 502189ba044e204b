"""The manifest's `function`, `service` and `aws` as values. The data has passed the schema and the rules of its platform."""

from collections.abc import Mapping
from typing import Any

from runner.model.aws import AwsPlace
from runner.model.functions import FunctionSettings
from runner.model.services import Route, ServiceSettings
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


def _route(data: dict[str, Any]) -> Route:
    return Route(
        listener=data["listener"],
        test_listener=data.get("test_listener"),
        target_groups=tuple(data["target_groups"]),
    )


def _plain(names: Names) -> dict[str, Any]:
    """As it is stored: without `env`, which a manifest may hand on, value by value, as `vars`."""
    return {key: _plain(value) if isinstance(value, Names) else value for key, value in names.items() if key != "env"}
