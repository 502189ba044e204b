"""Task definitions: from the file in a commit to what ECS's RegisterTaskDefinition takes.

JSON or YAML first, then Jinja2 inside scalars only, then the API's own shape; all mistakes at once, each with its line.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from runner import yaml
from runner.errors import InvalidFiles, Mistake, dotted
from runner.render import api_shapes
from runner.render.names import Names
from runner.render.scopes import Rendering
from runner.render.text import yaml_or_json
from runner.schema import describe, did_you_mean

Path: TypeAlias = tuple[Any, ...]

_ANSWERED = (  # what DescribeTaskDefinition adds, and RegisterTaskDefinition does not take
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
)
_HINT = "names are commit, branch, tag, repository, application, group and vars; hand others on as vars"


def render(
    text: bytes | str, file: str, names: Mapping[str, Any], container: str | None = None, image: str | None = None
) -> dict[str, Any]:
    """The task definition in *text*, with *image* in its container *container*.

    *names*: what its templates may use. *image* None: every container keeps its own. Raises `InvalidFiles` with every
    mistake.
    """
    reader = _Reader(yaml_or_json(text, file), file)
    document = reader.read(_names(names), container, image)
    if reader.mistakes:
        raise InvalidFiles(reader.mistakes)
    return document


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.mistakes: list[Mistake] = []
        self._file, self._document = file, yaml.read(text, file)
        self._rendering = Rendering()

    def read(self, names: Names, container: str | None, image: str | None) -> dict[str, Any]:
        data = self._document.data
        if not isinstance(data, dict):
            found = "is empty" if self._document.is_empty else f"expected a mapping, not {describe(data)}"
            self._refuse((), f"{found}; a task definition has a family and containerDefinitions")
            return {}
        data = {key: value for key, value in data.items() if key not in _ANSWERED}
        rendered: dict[str, Any] = self._rendering.render(data, (), names)
        for path, message in self._rendering.mistakes:
            self._refuse(path, message)
        if container is not None and not self.mistakes:
            self._put_image(rendered, container, image)
        if not self.mistakes:
            self._check(rendered)
        return rendered

    def _put_image(self, data: dict[str, Any], container: str, image: str | None) -> None:
        """Change *data* so that *container* runs *image*; there must be such a container in any case."""
        containers = [each for each in _list(data.get("containerDefinitions")) if isinstance(each, dict)]
        chosen = [each for each in containers if each.get("name") == container]
        if not chosen:
            known = [str(each.get("name")) for each in containers]
            self._refuse(
                ("containerDefinitions",), f"there is no container {container}{did_you_mean(container, known)}"
            )
        elif image is not None:
            chosen[0]["image"] = image

    def _check(self, data: dict[str, Any]) -> None:
        for wrong in self._wrong(data):
            self._refuse(wrong.path, wrong.message)
        names = [each.get("name") for each in _list(data.get("containerDefinitions")) if isinstance(each, dict)]
        if not names and not self.mistakes:
            self._refuse(("containerDefinitions",), "holds no container")
        for index, name in enumerate(names):
            if name is None:
                self._refuse(("containerDefinitions", index), "name is missing")
            elif name in names[:index]:
                self._refuse(("containerDefinitions", index, "name"), f"there are two containers {name}")

    def _wrong(self, data: dict[str, Any]) -> Iterator[api_shapes.Wrong]:
        """What the API would refuse. Text of a template that reads as a number becomes one where one is expected."""
        for wrong in list(api_shapes.check(data, "ecs", "RegisterTaskDefinitionRequest")):
            if (
                wrong.wants in ("integer", "long", "float", "double", "boolean")
                and wrong.path in self._rendering.sources
            ):
                place = _at(data, wrong.path[:-1])
                place[wrong.path[-1]] = self._rendering.as_scalar(place[wrong.path[-1]], wrong.path)
        return api_shapes.check(data, "ecs", "RegisterTaskDefinitionRequest")

    def _refuse(self, path: Path, message: str) -> None:
        line = self._document.line(path)
        self.mistakes.append(Mistake(file=self._file, line=line, path=dotted(path), message=message))


def _names(values: Mapping[str, Any], path: str = "") -> Names:
    """Plain mappings, as they are stored, as names in scope."""
    inner = {key: _names(value, key) if isinstance(value, Mapping) else value for key, value in values.items()}
    return Names(inner, path, "" if path else _HINT)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data
