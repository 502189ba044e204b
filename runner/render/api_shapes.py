"""Documents against the shapes of AWS's own APIs, as botocore ships them: unknown keys, and values of a wrong kind.

What botocore would refuse when the call is made is found when the file is checked, with its place and the nearest key.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from runner.schema import describe, did_you_mean

Path: TypeAlias = tuple[Any, ...]

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "structure": ((dict,), "a mapping"),
    "map": ((dict,), "a mapping"),
    "list": ((list,), "a list"),
}


class Wrong(NamedTuple):
    """*wants*: the kind of shape that is expected, where a value is of another."""

    path: Path
    message: str
    wants: str = ""


def check(data: Any, service: str, shape: str) -> Iterator[Wrong]:
    """Everything that is wrong with *data*, which should be a *shape* (`RegisterTaskDefinitionRequest`) of *service*."""
    return _check(data, _shapes(service), shape, ())


def _check(data: Any, shapes: dict[str, Any], name: str, path: Path) -> Iterator[Wrong]:
    shape = shapes[name]
    kind: str = shape["type"]
    types, expected = _KINDS[kind]
    fits = bool in types if isinstance(data, bool) else isinstance(data, types)
    if not fits:
        hint = "; put it in quotes" if types == (str,) and isinstance(data, int | float) else ""
        yield Wrong(path, f"expected {expected}, not {describe(data)}{hint}", kind)
    elif kind == "structure":
        yield from _check_members(data, shapes, shape, path)
    elif kind == "list":
        for index, item in enumerate(data):
            yield from _check(item, shapes, shape["member"]["shape"], (*path, index))
    elif kind == "map":
        for key in data:
            yield from _check(data[key], shapes, shape["value"]["shape"], (*path, key))


def _check_members(data: Any, shapes: dict[str, Any], shape: dict[str, Any], path: Path) -> Iterator[Wrong]:
    for key in shape.get("required", []):
        if key not in data:
            yield Wrong(path, f"{key} is missing")
    for key, value in data.items():
        if key in shape["members"]:
            yield from _check(value, shapes, shape["members"][key]["shape"], (*path, key))
        else:
            yield Wrong((*path, key), f"unknown key{did_you_mean(key, shape['members'])}")


@functools.cache
def _shapes(service: str) -> dict[str, Any]:
    from botocore.loaders import Loader

    shapes: dict[str, Any] = Loader().load_service_model(service, "service-2")["shapes"]
    return shapes
