"""Values: what has to be there, how long it may be, what it may say. Compiled from a shape once, like the types."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from runner.api.awsjson.faults import Fault
from runner.api.awsjson.models import Model

Check = Callable[[Any], None]
"""Looks at a parsed value. Raises `Fault`."""

Traits = Mapping[str, Mapping[str, Any]]
"""Shape -> traits that the model leaves unsaid: `min`, `max`, `pattern`, `enum`, as in a model."""


def required(model: Model, name: str) -> Check | None:
    """Every member that has to be there, is, at any depth. None when *name* requires nothing."""
    return _walk(model, name, _requirements, {})


def constraints(model: Model, name: str, more: Traits) -> Check | None:
    """Lengths, ranges, patterns, enumerations, and no nulls in lists. None when *name* has nothing to check."""
    return _walk(model, name, lambda shape, key: _own({**more.get(key, {}), **shape}), {})


Own = Callable[[dict[str, Any], str], Check | None]


def _walk(model: Model, name: str, own: Own, known: dict[str, Check | None]) -> Check | None:
    """The check of *name* itself and of all that it holds. *known* keeps what has been compiled."""
    if name in known:
        return known[name]

    def itself(value: Any) -> None:  # for a shape inside itself
        if check := known[name]:
            check(value)

    known[name] = itself
    shape = model["shapes"][name]
    match shape["type"]:
        case "structure":
            inside = _members({m: _walk(model, ref["shape"], own, known) for m, ref in shape["members"].items()})
        case "list":
            inside = _items(_walk(model, shape["member"]["shape"], own, known))
        case "map":
            keys = _walk(model, shape["key"]["shape"], own, known)
            inside = _entries(keys, _walk(model, shape["value"]["shape"], own, known))
        case _:
            inside = None
    known[name] = _both(own(shape, name), inside)
    return known[name]


def _both(first: Check | None, second: Check | None) -> Check | None:
    if first is None or second is None:
        return first or second

    def check(value: Any) -> None:
        first(value)
        second(value)

    return check


def _members(checks: dict[str, Check | None]) -> Check | None:
    wanted = [(name, check) for name, check in checks.items() if check]

    def check(value: Any) -> None:
        for name, inner in wanted:
            if name in value:
                try:
                    inner(value[name])
                except Fault as fault:
                    raise fault.under(name) from None

    return check if wanted else None


def _items(inner: Check | None) -> Check | None:
    def check(value: Any) -> None:
        for index, item in enumerate(value):
            try:
                if item is None:
                    raise Fault("value", "should not be null")
                if inner:
                    inner(item)
            except Fault as fault:
                raise fault.under(index) from None

    return check


def _entries(keys: Check | None, inner: Check | None) -> Check | None:
    def check(value: Any) -> None:
        for key, item in value.items():
            try:
                if keys:
                    keys(key)
                if inner:
                    inner(item)
            except Fault as fault:
                raise fault.under(key) from None

    return check if keys or inner else None


def _requirements(shape: dict[str, Any], _name: str) -> Check | None:
    names = shape.get("required", ())

    def check(value: Any) -> None:
        for name in names:
            if name not in value:
                raise Fault("missing", "is required").under(name)

    return check if names else None


def _own(traits: dict[str, Any]) -> Check | None:
    """What *traits* themselves say about a value."""
    low, high = traits.get("min"), traits.get("max")
    pattern = re.compile(traits["pattern"]) if "pattern" in traits else None
    allowed = frozenset(traits.get("enum", ()))
    counted = {"string": "characters", "list": "items", "map": "entries", "blob": "bytes"}.get(traits["type"])
    if low is high is pattern is None and not allowed:
        return None

    def check(value: Any) -> None:
        size = len(value) if counted else value
        if low is not None and size < low:
            raise Fault("value", f"should have at least {low} {counted}" if counted else f"should be at least {low}")
        if high is not None and size > high:
            raise Fault("value", f"should have at most {high} {counted}" if counted else f"should be at most {high}")
        if pattern and not pattern.fullmatch(value):
            raise Fault("value", f"should match {pattern.pattern}")
        if allowed and value not in allowed:
            raise Fault("value", f"should be one of {', '.join(sorted(allowed))}")

    return check
