"""JSON as the standard library reads and writes it, without what its own module costs to import.

`import json` brings `re` and `enum` along: 10 ms on every start of the executor, half of all there is. Its C parts need
neither. They are the interpreter's private matter, so wherever they are not what we know, `json` itself is taken.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t\n\r"


def loads(text: str | bytes | bytearray) -> Any:
    """The value in *text*, UTF-8 if it is bytes. Raises `ValueError` for what is not JSON."""
    if isinstance(text, (bytes, bytearray)):
        text = text.decode("utf-8", "surrogatepass")
    stripped = text.strip(_BLANK)
    try:
        value, end = _scan(stripped, 0)
    except (StopIteration, SystemError) as error:  # what the C scanner makes of an end that comes too early
        raise ValueError("not JSON") from error
    if end != len(stripped):
        raise ValueError("not JSON: something follows the value")
    return value


def dumps(value: Any) -> str:
    """*value* as one line of ASCII; what is no text in UTF-8 (a name of a file) comes as lone surrogates."""
    return "".join(_encode(value, 0))


class _Reading:
    """What the C scanner asks of its decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _from_private_parts() -> Any:
    import _json

    parts: Any = _json
    scan = parts.make_scanner(_Reading())
    encode = parts.make_encoder(None, None, parts.encode_basestring_ascii, None, ": ", ", ", False, False, True)
    if scan('{"a": [1]}', 0) != ({"a": [1]}, 10) or "".join(encode({"a": [1]}, 0)) != '{"a": [1]}':
        raise ImportError("the parts of json are not what they were")
    return scan, encode


def _from_json() -> Any:
    import json

    reader: Any = json.JSONDecoder()
    return reader.scan_once, lambda value, _: (json.dumps(value),)


try:
    _scan, _encode = _from_private_parts()
except Exception:  # noqa: BLE001  whatever is wrong with them, there is a way without
    _scan, _encode = _from_json()
