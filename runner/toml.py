"""Where the keys of a TOML file stand: the standard library's parser does not say.

Knows headers (`[a.b]`) and keys at the start of a line, which is where people put them. A key inside an inline table or
a many-line value is found at the line of the key around it: the line is near, never invented.
"""

import re
import tomllib
from functools import cached_property
from typing import Any, TypeAlias

from runner.errors import Mistake

Path: TypeAlias = tuple[Any, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEY = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_KEY})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_KEY})\s*=(.*)")
_MANY_LINES = ('"""', "'''")
_SYNTAX = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)")


class Lines:
    """The lines of the keys of one text, which is valid TOML."""

    def __init__(self, text: str) -> None:
        self._text = text

    def line(self, path: Path) -> int:
        """The line, from 1, of the key at *path*, or of the innermost key around it that was found; 0 when there is none."""
        return next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), 0)

    @cached_property
    def _lines(self) -> dict[Path, int]:
        """Only looked for when there is a mistake to tell of."""
        lines: dict[Path, int] = {}
        table: Path = ()
        closing = ""  # what ends the many-line text that we are in
        for number, line in enumerate(self._text.splitlines(), start=1):
            if closing:
                closing = "" if closing in line else closing
            elif header := _HEADER.match(line):
                table = _parts(header[1])
                _note(lines, table, number)
            elif assignment := _ASSIGNMENT.match(line):
                _note(lines, (*table, *_parts(assignment[1])), number)
                closing = next((mark for mark in _MANY_LINES if assignment[2].count(mark) == 1), "")
        return lines


def _note(lines: dict[Path, int], path: Path, line: int) -> None:
    for end in range(1, len(path) + 1):
        lines.setdefault(path[:end], line)


def syntax_mistake(file: str, text: str, error: tomllib.TOMLDecodeError) -> Mistake:
    """What the parser could not read, and where."""
    match = _SYNTAX.fullmatch(str(error))
    message = match[1] if match else str(error)
    line = int(match[2]) if match and match[2] else max(1, len(text.rstrip().splitlines()))
    return Mistake(file=file, line=line, path="", message=f"not valid TOML: {message[:1].lower()}{message[1:]}")


def _parts(key: str) -> Path:
    """The steps of a dotted key, quotes taken off."""
    steps = []
    for part in re.findall(_PART, key):
        steps.append(next(iter(tomllib.loads(f"{part} = 0"))))
    return tuple(steps)
