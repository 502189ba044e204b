"""Types: JSON values become Python values, by closures that a shape is compiled to once.

Unknown members are left out, and a JSON null is a member that is not there. Lengths and enumerations come later
(`constraints`); here only the type counts, as a service reads a request whole before it judges it.
"""

import base64
import binascii
import datetime as dt
import math
import re
from collections.abc import Callable
from typing import Any

from runner.api.awsjson.faults import Fault
from runner.api.awsjson.models import Model, wire_name

Parse = Callable[[Any], Any]
"""JSON value -> Python value. Raises `Fault`."""

_BITS = {"integer": 31, "long": 63}
_WORDS = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}


def parser(model: Model, shape: str, known: dict[str, Parse]) -> Parse:
    """The closure for *shape*. *known* keeps what has been compiled, so that a shape may contain itself."""
    if shape not in known:
        known[shape] = lambda value: known[shape](value)  # for a shape inside itself
        known[shape] = _compile(model, shape, known)
    return known[shape]


def _compile(model: Model, name: str, known: dict[str, Parse]) -> Parse:
    shape = model["shapes"][name]
    match shape["type"]:
        case "structure":
            members = {
                wire_name(member, ref): (member, parser(model, ref["shape"], known))
                for member, ref in shape["members"].items()
            }
            return _structure(members, union=bool(shape.get("union")))
        case "list":
            return _list(parser(model, shape["member"]["shape"], known))
        case "map":
            return _map(parser(model, shape["value"]["shape"], known))
        case "integer" | "long" as kind:
            return _whole(_BITS[kind])
        case kind:
            return _SCALARS[kind]


def expected(what: str, value: Any) -> Fault:
    return Fault("type", f"should be {what}, not {_WORDS.get(type(value), 'null')}")


def _structure(members: dict[str, tuple[str, Parse]], *, union: bool) -> Parse:
    def parse(value: Any) -> Any:
        if type(value) is not dict:
            raise expected("an object", value)
        found = {}
        for key, item in value.items():
            if item is not None and (member := members.get(key)):
                name, inner = member
                try:
                    found[name] = inner(item)
                except Fault as fault:
                    raise fault.under(name) from None
        if union and len(found) != 1:
            raise Fault("type", f"should have exactly one member, not {len(found)}")
        return found

    return parse


def _list(inner: Parse) -> Parse:
    def parse(value: Any) -> Any:
        if type(value) is not list:
            raise expected("a list", value)
        found = []
        for index, item in enumerate(value):
            try:
                # A null in a list is kept here, and refused by the constraints, with the list's own exception.
                found.append(None if item is None else inner(item))
            except Fault as fault:
                raise fault.under(index) from None
        return found

    return parse


def _map(inner: Parse) -> Parse:
    def parse(value: Any) -> Any:
        if type(value) is not dict:
            raise expected("an object", value)
        found = {}
        for key, item in value.items():
            if item is not None:
                try:
                    found[key] = inner(item)
                except Fault as fault:
                    raise fault.under(key) from None
        return found

    return parse


def _whole(bits: int) -> Parse:
    low, high = -(2**bits), 2**bits - 1

    def parse(value: Any) -> Any:
        if type(value) is not int:
            raise (
                Fault("type", "should be a whole number") if type(value) is float else expected("a whole number", value)
            )
        if not low <= value <= high:
            raise Fault("type", f"should be between {low} and {high}")
        return value

    return parse


def _string(value: Any) -> Any:
    if type(value) is not str:
        raise expected("a string", value)
    return value


def _boolean(value: Any) -> Any:
    if type(value) is not bool:
        raise expected("true or false", value)
    return value


def _number(value: Any) -> Any:
    if type(value) not in (int, float):
        raise expected("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Fault("type", "is a number out of range")
    return number


def _timestamp(value: Any) -> Any:
    """Seconds since 1970, as the protocol has it, or ISO 8601, as people write it. Without a zone it is UTC."""
    try:
        if type(value) is str and re.match(r"\d{4}-\d\d-\d\d", value):
            time = dt.datetime.fromisoformat(value)
            return time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
        return dt.datetime.fromtimestamp(_number(value), dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise Fault("type", "is not a time between the years 1 and 9999") from None


def _blob(value: Any) -> Any:
    try:
        return base64.b64decode(_string(value), validate=True)
    except (binascii.Error, ValueError):
        raise Fault("type", "should be base64") from None


_SCALARS: dict[str, Parse] = {
    "string": _string,
    "boolean": _boolean,
    "double": _number,
    "float": _number,
    "timestamp": _timestamp,
    "blob": _blob,
}
