"""AppSpec files of Lambda functions and ECS services, YAML or JSON: all mistakes at once, each with its line.

Unlike a server's AppSpec, one with anything unknown in it is refused whole, as CodeDeploy fails the deployment.
Source: CodeDeploy user guide, "AppSpec file structure" for the two platforms.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from runner import schema, yaml
from runner.errors import InvalidFiles, Mistake, dotted
from runner.model.functions import LambdaSpec
from runner.model.platform import ComputePlatform
from runner.model.services import EcsSpec, ServiceSettings
from runner.render.text import yaml_or_json
from runner.schema import describe

Path: TypeAlias = tuple[Any, ...]

_TYPES: dict[str, ComputePlatform] = {"AWS::Lambda::Function": "Lambda", "AWS::ECS::Service": "ECS"}
_NAMES = 2  # how deep the names of resources stand, which are the user's own: Resources, 0, NAME


def parse_lambda(text: bytes | str, file: str) -> LambdaSpec:
    """What the AppSpec *text* does to a function. *file*: its name, for messages.

    Raises `InvalidFiles` with every mistake.
    """
    document = _Document(yaml_or_json(text, file), file, "appspec-lambda")
    properties, _at = document.properties()
    return LambdaSpec(
        function=properties["Name"],
        alias=properties["Alias"],
        current_version=str(properties["CurrentVersion"]),
        target_version=str(properties["TargetVersion"]),
        hooks=document.hooks(),
    )


def parse_ecs(text: bytes | str, file: str, service: ServiceSettings) -> EcsSpec:
    """What the AppSpec *text* does to *service*, whose cluster, name and routes the deployment group says.

    Raises `InvalidFiles` with every mistake.
    """
    document = _Document(yaml_or_json(text, file), file, "appspec-ecs")
    properties, _at = document.properties()
    info = properties["LoadBalancerInfo"]
    return EcsSpec(
        cluster=service.cluster,
        service=service.name,
        task_definition=properties["TaskDefinition"],
        container=info["ContainerName"],
        port=int(info["ContainerPort"]),
        platform_version=properties.get("PlatformVersion"),
        network=_network(properties.get("NetworkConfiguration")),
        capacity_providers=tuple(map(_as_api, properties.get("CapacityProviderStrategy", []))),
        routes=service.routes,
        hooks=document.hooks(),
    )


def platform_of(text: str, file: str) -> ComputePlatform:
    """For whom the AppSpec *text* is meant, by what it says: Server, where it says nothing of Lambda or ECS.

    Of a file that is no YAML too: the reader for servers says why.
    """
    try:
        data = yaml.read(text, file).data
    except InvalidFiles:
        return "Server"
    resources = _lower(data).get("resources")
    found = {_TYPES[kind] for kind in _types(resources) if kind in _TYPES}
    return found.pop() if len(found) == 1 else "Lambda" if resources is not None else "Server"


def _types(resources: Any) -> Iterator[str]:
    for entry in resources if isinstance(resources, list) else []:
        for resource in entry.values() if isinstance(entry, dict) else []:
            kind = _lower(resource).get("type")
            if isinstance(kind, str):
                yield kind


def _lower(data: Any) -> dict[str, Any]:
    return {key.lower(): value for key, value in data.items()} if isinstance(data, dict) else {}


class _Document:
    """One file that is right by *name*, its schema. Raises `InvalidFiles` with every mistake.

    The case of keys does not matter: the guide itself writes them in several ways, and AWS' own tools take them all.
    """

    def __init__(self, text: str, file: str, name: str) -> None:
        self._file, self._document = file, yaml.read(text, file)
        self._mistakes: list[Mistake] = []
        self._spelled: dict[Path, str] = {}  # path in the schema's spelling: its last key as the file has it
        self._known = {key.lower(): key for key in _keys(schema.load(name))}
        self._check_kind()
        self._data = self._in_one_spelling(self._document.data, ())
        if not self._mistakes:
            self._follow(name)
        if not self._mistakes:
            self._check()
        if self._mistakes:
            raise InvalidFiles(self._mistakes)

    def properties(self) -> tuple[dict[str, Any], Path]:
        """What is said about the one resource, and where."""
        ((name, resource),) = self._data["Resources"][0].items()
        return resource["Properties"], ("Resources", 0, name, "Properties")

    def hooks(self) -> dict[str, str]:
        """Lifecycle event to the function that validates it."""
        return {event: function for entry in self._data.get("Hooks") or [] for event, function in entry.items()}

    def _follow(self, name: str) -> None:
        for problem in schema.check(self._data, name):
            self._refuse(problem.path, problem.message)

    def _check(self) -> None:
        """What no schema can say."""
        seen: set[str] = set()
        for index, entry in enumerate(self._data.get("Hooks") or []):
            (event,) = entry
            if event in seen:
                self._refuse(("Hooks", index, event), "appears twice; an event has one function")
            seen.add(event)
        properties, at = self.properties()
        for key in ("CurrentVersion", "TargetVersion"):
            if isinstance(properties.get(key), float):  # to a schema, 2.0 is a whole number
                self._refuse((*at, key), f"expected the number of a published version, not {describe(properties[key])}")
        if int(properties.get("LoadBalancerInfo", {}).get("ContainerPort", 1)) > 65535:
            self._refuse((*at, "LoadBalancerInfo", "ContainerPort"), "expected a port from 1 to 65535")

    def _check_kind(self) -> None:
        if self._document.is_empty:
            self._refuse((), "is empty; an AppSpec begins with `version: 0.0`")
        elif not isinstance(self._document.data, dict):
            self._refuse((), f"expected a mapping, not {describe(self._document.data)}")

    def _in_one_spelling(self, data: Any, path: Path) -> Any:
        """*data* with keys as the schema spells them."""
        if isinstance(data, list):
            return [self._in_one_spelling(each, (*path, index)) for index, each in enumerate(data)]
        if not isinstance(data, dict):
            return data
        spelled: dict[str, Any] = {}
        for own, value in data.items():
            is_name = len(path) == _NAMES and path[0] == "Resources"
            key = own if is_name or own.lower() not in self._known else self._known[own.lower()]
            if key in spelled:
                first = self._spelled[(*path, key)]
                self._note((*self._in_file(path), own), f"stands there as {first} too; leave out one of the two")
                continue
            self._spelled[(*path, key)] = own
            spelled[key] = self._in_one_spelling(value, (*path, key))
        return spelled

    def _refuse(self, path: Path, message: str) -> None:
        self._note(self._in_file(path), message)

    def _note(self, path: Path, message: str) -> None:
        line = self._document.line(path)
        self._mistakes.append(Mistake(file=self._file, line=line, path=dotted(path), message=message))

    def _in_file(self, path: Path) -> Path:
        """*path*, in the schema's spelling, as the file spells it."""
        return tuple(self._spelled.get(path[: depth + 1], step) for depth, step in enumerate(path))


def _keys(part: Any) -> Iterator[str]:
    """Every key that a schema knows."""
    for name, value in part.items() if isinstance(part, dict) else ():
        if name == "properties":
            yield from value
        yield from _keys(value)


def _network(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {"awsvpcConfiguration": _as_api(data["AwsvpcConfiguration"])} if data is not None else None


def _as_api(members: Mapping[str, Any]) -> dict[str, Any]:
    """The same as the ECS API spells it: `assignPublicIp` for AssignPublicIp."""
    return {key[0].lower() + key[1:]: value for key, value in members.items()}
