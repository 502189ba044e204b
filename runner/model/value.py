"""The base of every noun, and its one JSON form.

Values are msgspec structs: frozen, keyword-only, slotted, and readable from their own JSON after fields were added.
"""

from typing import TypeVar

import msgspec

V = TypeVar("V")


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A frozen, keyword-only value; equal when its fields are."""


def to_json(value: object) -> str:
    """The JSON text of a value (or of a list or dict of values): durations as ISO 8601, times in UTC."""
    return msgspec.json.encode(value, order="deterministic").decode()


def from_json(text: str | bytes, kind: type[V]) -> V:
    """The value that `to_json` wrote. Raises `msgspec.ValidationError` when *text* is not of that *kind*."""
    return msgspec.json.decode(text, type=kind)
