"""From the bytes of a file to its text."""

import re

from runner.errors import InvalidFiles, Mistake

_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


def decoded(text: bytes | str, file: str) -> str:
    """*text* as it is, or as UTF-8. *file*: its name, for the message. Raises `InvalidFiles`."""
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise InvalidFiles([Mistake(file=file, line=line, path="", message="is not UTF-8 text")]) from error


def yaml_or_json(text: bytes | str, file: str) -> str:
    """As `decoded`, for readers of YAML. JSON is YAML but for one thing: it writes an emoji as two escapes."""
    plain = decoded(text, file)
    return _PAIR.sub(_joined, plain) if plain.lstrip().startswith("{") else plain


def _joined(pair: re.Match[str]) -> str:
    units = bytes.fromhex(pair[2] + pair[3])
    return pair[1] + units.decode("utf-16-be")
