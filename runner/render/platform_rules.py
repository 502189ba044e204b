"""What a manifest may and must say on which platform, where the schema says only what may stand somewhere."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from runner.model.platform import ComputePlatform
from runner.render.fleet_rules import blue_green
from runner.render.views import mapping

Path: TypeAlias = tuple[Any, ...]
Report: TypeAlias = Callable[[Path, str], None]

PLACES: dict[ComputePlatform, str] = {"Server": "servers", "Lambda": "Lambda functions", "ECS": "ECS services"}
_NOT_BUILT = "is not built yet in this version of Penstock; leave it out"

_VERBS: dict[str, tuple[ComputePlatform, ...]] = {
    "batch": ("Server",),
    "scale": ("ECS",),
    "shift": ("Lambda", "ECS"),
    "hold": ("Server", "Lambda", "ECS"),
    "check": ("Lambda", "ECS"),
    "retire": ("ECS",),
}
_SERVERS_LATER = ("shift", "check", "retire")  # of blue/green deployments on servers
_TOP: dict[str, ComputePlatform] = {"function": "Lambda", "service": "ECS"}


def check(data: dict[str, Any], report: Report) -> None:
    """*data*: a manifest, as written or as a group sees it. Says nothing where the platform is not known."""
    for platform in PLACES:
        if data.get("platform") == platform:
            for path, message in _wrong(data, platform):
                report(path, message)


def _wrong(data: dict[str, Any], platform: ComputePlatform) -> Iterator[tuple[Path, str]]:
    for key, needed in _TOP.items():
        if key in data and platform != needed:
            yield (key,), _elsewhere(key, (needed,), platform)
    if platform == "Lambda":
        yield from _function(data)
    elif platform == "ECS":
        yield from _service(data)
    elif "image" in mapping(data.get("revision")):
        yield ("revision", "image"), _elsewhere("image", ("ECS",), platform)
    for name, group in mapping(data.get("deployment_groups")).items():
        yield from _group(("deployment_groups", name), group, platform)
    for name, rollout in mapping(data.get("rollouts")).items():
        yield from _rollout(("rollouts", name), mapping(rollout), platform)


def _function(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    revision = mapping(data.get("revision"))
    if "image" in revision:
        yield ("revision", "image"), _elsewhere("image", ("ECS",), "Lambda")
    if "function" not in data and "appspec" not in data and "s3" not in revision:
        yield (), "names no function; give function: {name: ..., alias: ...}, or appspec: PATH"
    if "function" in data and "appspec" in data:
        yield ("appspec",), "function says it all; leave out one of the two"
    if "function" in data and not revision:
        yield ("function",), "its code comes from an object in S3; give revision: {s3: {bucket: ..., key: ...}}"


def _service(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    service, revision = data.get("service"), mapping(data.get("revision"))
    if service is None:
        yield (), "names no service; give service: {cluster: ..., name: ...}"
    if not isinstance(service, dict):
        return
    if "task_definition" in service:
        yield from _task_definition(data, service, revision)
        return
    if "appspec" not in data and "s3" not in revision:
        yield ("service",), "task_definition is missing; give its path, or appspec: PATH"
    for key in ("container", "hooks"):
        if key in service:
            yield ("service", key), "is said by the AppSpec, where there is no task_definition; leave it out"
    if "image" in revision:
        yield ("revision", "image"), "an AppSpec says which image runs; give service.task_definition, or leave it out"


def _task_definition(
    data: dict[str, Any], service: dict[str, Any], revision: dict[str, Any]
) -> Iterator[tuple[Path, str]]:
    container = service.get("container")
    if "appspec" in data:
        yield ("appspec",), "service.task_definition says it all; leave out one of the two"
    if "s3" in revision:
        yield (
            ("revision", "s3"),
            "the task definition comes from the commit; give revision: {image: ...}, or leave it out",
        )
    if container is None:
        yield ("service",), "container is missing; expected {name: ..., port: ...}"
    elif "routes" in service and isinstance(container, dict) and "port" not in container:
        yield ("service", "container"), "port is missing; the routes lead to it"


def _group(path: Path, group: Any, platform: ComputePlatform) -> Iterator[tuple[Path, str]]:
    if not isinstance(group, dict):
        return
    if platform == "Server" and "targets" not in group:
        yield path, "names no target; give targets: {tags: {KEY: VALUE}}"
    targets = mapping(group.get("targets"))
    green = mapping(mapping(group.get("blue_green")).get("green"))
    for key, fleets in (("suspend_processes", (targets,)), ("termination_hook", (targets, green))):
        if key in targets and not any("auto_scaling_groups" in fleet for fleet in fleets):
            yield (*path, "targets", key), "is for Auto Scaling groups; give auto_scaling_groups: [NAME]"
    for key in ("targets", "load_balancer", "blue_green"):
        if platform != "Server" and key in group:
            yield (*path, key), _elsewhere(key, ("Server",), platform)
    if platform == "Server" and isinstance(group.get("blue_green"), dict):
        yield from blue_green((*path, "blue_green"), group)


def _rollout(path: Path, rollout: dict[str, Any], platform: ComputePlatform) -> Iterator[tuple[Path, str]]:
    for key in ("minimum_healthy", "max_failed"):
        if platform != "Server" and key in rollout:
            yield (*path, key), _elsewhere(key, ("Server",), platform)
    steps = rollout.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        for verb in mapping(step):
            if platform not in _VERBS.get(verb, PLACES):
                later = platform == "Server" and verb in _SERVERS_LATER
                yield (*path, "steps", index, verb), _NOT_BUILT if later else _elsewhere(verb, _VERBS[verb], platform)


def _elsewhere(key: str, needed: tuple[ComputePlatform, ...], platform: ComputePlatform) -> str:
    places = " and ".join(PLACES[each] for each in needed)
    return f"{key} is for {places}; this application runs on {PLACES[platform]}"
