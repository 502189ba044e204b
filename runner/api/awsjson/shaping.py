"""Answers: Python values become JSON values, by closures that an output shape is compiled to once.

None is left out. Anything else that the shape does not foresee is a mistake of ours, and raises `Misshapen`.
"""

import base64
import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from runner.api.awsjson.models import Model, wire_name
from runner.errors import dotted

Shape = Callable[[Any], Any]
"""Python value -> JSON value. Raises `Misshapen`."""

ALSO_ANSWERED = {"MinimumHealthyHostsType": frozenset({"MOST_CONCURRENCY"})}
"""Shape -> what CodeDeploy answers although its model does not say so: CodeDeployDefault.OneAtATime."""


class Misshapen(Exception):
    """A handler's answer does not fit its output shape. Our bug."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: list[str | int] = []

    def under(self, step: str | int) -> "Misshapen":
        """This mistake, one step further out."""
        self.path.insert(0, step)
        return self

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


def shaper(model: Model, shape: str, known: dict[str, Shape], *, strict: bool) -> Shape:
    """The closure for *shape*. *known* keeps what has been compiled.

    *strict*: members and words that the model does not know are mistakes as well. Not strict, such members are left out,
    for botocore may be older than we are.
    """
    if shape not in known:
        known[shape] = lambda value: known[shape](value)  # for a shape inside itself
        known[shape] = _compile(model, shape, known, strict)
    return known[shape]


def _compile(model: Model, name: str, known: dict[str, Shape], strict: bool) -> Shape:
    shape = model["shapes"][name]
    match shape["type"]:
        case "structure":
            members = {
                member: (wire_name(member, ref), shaper(model, ref["shape"], known, strict=strict))
                for member, ref in shape["members"].items()
            }
            return _structure(members, tuple(shape.get("required", ())) if strict else (), strict)
        case "list":
            return _list(shaper(model, shape["member"]["shape"], known, strict=strict))
        case "map":
            return _map(shaper(model, shape["value"]["shape"], known, strict=strict))
        case "string" if strict and "enum" in shape:
            return _word(frozenset(shape["enum"]) | ALSO_ANSWERED.get(name, frozenset()))
        case "integer" | "long" as kind:
            return _whole(2 ** {"integer": 31, "long": 63}[kind])
        case kind:
            return _SCALARS[kind]


def _structure(members: dict[str, tuple[str, Shape]], required: tuple[str, ...], strict: bool) -> Shape:
    def shape(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Misshapen(f"should be a dict, not {value!r:.80}")
        found = {}
        for name, item in value.items():
            member = members.get(name)
            if member is None:
                if strict:
                    raise Misshapen("is no member of the output").under(name)
            elif item is not None:
                key, inner = member
                try:
                    found[key] = inner(item)
                except Misshapen as mistake:
                    raise mistake.under(name) from None
        for name in required:
            if value.get(name) is None:
                raise Misshapen("is required").under(name)
        return found

    return shape


def _list(inner: Shape) -> Shape:
    def shape(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise Misshapen(f"should be a list, not {value!r:.80}")
        found = []
        for index, item in enumerate(value):
            try:
                found.append(inner(item))
            except Misshapen as mistake:
                raise mistake.under(index) from None
        return found

    return shape


def _map(inner: Shape) -> Shape:
    def shape(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Misshapen(f"should be a dict, not {value!r:.80}")
        found = {}
        for key, item in value.items():
            try:
                found[_string(key)] = inner(item)
            except Misshapen as mistake:
                raise mistake.under(key) from None
        return found

    return shape


def _word(allowed: frozenset[str]) -> Shape:
    def shape(value: Any) -> Any:
        if _string(value) not in allowed:
            raise Misshapen(f"{value!r:.80} is none of {', '.join(sorted(allowed))}")
        return value

    return shape


def _string(value: Any) -> Any:
    if not isinstance(value, str):
        raise Misshapen(f"should be a str, not {value!r:.80}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Misshapen("has a lone surrogate") from None
    return str(value)  # of an enumeration or a secret, what it shows


def _boolean(value: Any) -> Any:
    if not isinstance(value, bool):
        raise Misshapen(f"should be a bool, not {value!r:.80}")
    return value


def _whole(bound: int) -> Shape:
    def shape(value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool) or not -bound <= value < bound:
            raise Misshapen(f"should be an int of the shape's size, not {value!r:.80}")
        return value

    return shape


def _number(value: Any) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise Misshapen(f"should be a finite number, not {value!r:.80}")
    return value


def _timestamp(value: Any) -> Any:
    """Seconds since 1970, to the millisecond, as CodeDeploy answers."""
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise Misshapen(f"should be a datetime with a zone, not {value!r:.80}")
    return round(value.timestamp(), 3)


def _blob(value: Any) -> Any:
    if not isinstance(value, bytes):
        raise Misshapen(f"should be bytes, not {value!r:.80}")
    return base64.b64encode(value).decode()


_SCALARS: dict[str, Shape] = {
    "string": _string,
    "boolean": _boolean,
    "double": _number,
    "float": _number,
    "timestamp": _timestamp,
    "blob": _blob,
}
