"""Tag filters in the wire API's shape: `{"Key", "Value", "Type"}`."""

from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import Refused
from runner.model.tags import TagFilter, TagSet

MOST = 10  # filters in a list
MOST_GROUPS = 3  # lists in a set


def tag_filter(shape: Mapping[str, Any], code: str) -> TagFilter:
    """One filter. Without a Type, it is what its members make it. Raises `Refused` with *code*."""
    key, value = shape.get("Key") or None, shape.get("Value")
    kind = shape.get("Type") or _kind(key, value)
    if kind != "VALUE_ONLY" and (key is None or len(key) > 128):
        raise Refused(code, f"a tag filter of type {kind} needs a Key of 1 to 128 characters")
    if kind != "KEY_ONLY" and (value is None or len(value) > 256):
        raise Refused(code, f"a tag filter of type {kind} needs a Value of at most 256 characters")
    return TagFilter(key=None if kind == "VALUE_ONLY" else key, value=None if kind == "KEY_ONLY" else value)


def _kind(key: str | None, value: str | None) -> str:
    return "KEY_AND_VALUE" if key and value is not None else "KEY_ONLY" if key else "VALUE_ONLY"


def tag_filters(shapes: Sequence[Mapping[str, Any]], code: str) -> tuple[TagFilter, ...]:
    """Raises `Refused` with *code*."""
    if len(shapes) > MOST:
        raise Refused(code, f"{len(shapes)} tag filters are too many; at most {MOST} may stand together")
    return tuple(tag_filter(each, code) for each in shapes)


def tag_set(groups: Sequence[Sequence[Mapping[str, Any]]], code: str) -> TagSet:
    """The groups that hold filters. Raises `Refused` with *code*, or TagSetListLimitExceeded."""
    if len(groups) > MOST_GROUPS:
        raise Refused(
            "TagSetListLimitExceededException", f"{len(groups)} groups of tags are too many; {MOST_GROUPS} are allowed"
        )
    return tuple(tag_filters(group, code) for group in groups if group)
