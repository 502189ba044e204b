"""The base of every noun, and its one JSON form.

Values are msgspec structs: frozen, keyword-only, slotted, and readable from their own JSON after fields were added.
"""

import threading
from typing import Any, TypeVar

import msgspec

V = TypeVar("V")

_decoders: dict[Any, "msgspec.json.Decoder[Any]"] = {}
_making = threading.Lock()


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A frozen, keyword-only value; equal when its fields are."""


def to_json(value: object) -> str:
    """The JSON text of a value (or of a list or dict of values): durations as ISO 8601, times in UTC."""
    return msgspec.json.encode(value, order="deterministic").decode()


def from_json(text: str | bytes, kind: type[V]) -> V:
    """The value that `to_json` wrote. Raises `msgspec.ValidationError` when *text* is not of that *kind*."""
    return decoder(kind).decode(text)


def from_plain(data: object, kind: type[V]) -> V:
    """The value whose JSON is *data*, in dicts and lists. Raises as `from_json`."""
    decoder(kind)  # so that all is known of the kind
    return msgspec.convert(data, kind)


def decoder(kind: type[V]) -> "msgspec.json.Decoder[V]":
    """What reads that *kind*; it may be kept. Nothing else in the runner makes one, or has msgspec read into structs.

    msgspec learns of a struct when it is first to read one, and publishes what it knows before it knows all. A thread
    that reads such a struct in that moment, be it as a field of another, ends the process with SIGSEGV. So one thread
    at a time makes decoders, and what has one may be read by all.
    """
    if (found := _decoders.get(kind)) is None:
        with _making:
            found = _decoders[kind] = msgspec.json.Decoder(kind)
    return found
