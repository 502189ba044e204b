"""YAML, read two ways, with the line of every value: ours for manifests, the official agent's for AppSpec files.

The only importer of PyYAML. Its C parser gives events; the values are built here, so that what a hostile document may
cost is bounded, and so that every mistake knows its line. Knows nothing of what the documents mean.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn, TypeAlias

import yaml

from runner.errors import InvalidFiles, Mistake, dotted

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 50_000  # counted with every alias expanded
MAX_TAG_DIRECTIVES = 16  # the parser compares each with all others

Path: TypeAlias = tuple[Any, ...]
"""Keys and indices from the root to a value."""


class Place:
    """Where a value stands: its line (of its key, inside a mapping) and, for a scalar, its text as written."""

    __slots__ = ("children", "line", "text")

    def __init__(self, line: int, text: str | None = None) -> None:
        self.line = line
        self.text = text
        self.children: dict[Any, Place] = {}


class Document:
    """Plain data (`dict`, `list`, `str`, `int`, `float`, `bool`, `None`) that remembers where it was written.

    An empty file has `data` None and `is_empty` True.
    """

    def __init__(self, data: Any, place: Place | None) -> None:
        self.data = data
        self.is_empty = place is None
        self._root = place or Place(1)

    def line(self, path: Path) -> int:
        """The line, from 1, of the value at *path*; of the innermost value around it that is there."""
        place = self._root
        for step in path:
            if step not in place.children:
                break
            place = place.children[step]
        return place.line

    def written(self, path: Path) -> str | None:
        """A scalar's text as it stands in the file, None for anything else."""
        place = self._root
        for step in path:
            if step not in place.children:
                return None
            place = place.children[step]
        return place.text


class _Plain(yaml.SafeDumper):
    """Writes what stands in several places each time."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Dialect(NamedTuple):
    scalar: Callable[[str], Any]
    aliases: bool
    text_keys: bool  # keys must be text, and may not repeat
    first_only: bool  # further documents are not looked at


def read(text: str, file: str) -> Document:
    """Read a manifest: YAML 1.2 (core schema), one document, keys that are text and stand once, no merge keys.

    Raises `InvalidFiles` with every mistake that could be found.
    """
    return _read(text, file, _Dialect(core_scalar, aliases=True, text_keys=True, first_only=False))


def write(data: Any) -> str:
    """*data* (mappings, lists and scalars) as block YAML, keys in their order; for people to read and compare."""
    return yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)


def read_like_agent(text: str, file: str) -> Document:
    """Read an AppSpec file as the official agent does: YAML 1.1 by Ruby's rules, the first document, no aliases.

    The last of several equal keys wins. Raises `InvalidFiles`. Source: agent 1.8 on Ruby 3.1, `conformance/host`.
    """
    if text.startswith("\ufeff"):
        raise InvalidFiles([Mistake(file=file, line=1, path="", message=_BYTE_ORDER_MARK)])
    return _read(text, file, _Dialect(agent_scalar, aliases=False, text_keys=False, first_only=True))


_BYTE_ORDER_MARK = (
    "starts with a byte order mark, which the CodeDeploy agent refuses; save the file as UTF-8 without one"
)


def _read(text: str, file: str, dialect: _Dialect) -> Document:
    builder = _Builder(file, dialect)
    document = builder.document(text)
    if builder.mistakes:
        raise InvalidFiles(builder.mistakes)
    return document


class _Stop(Exception):
    """Reading on makes no sense; the mistake is noted."""


class _Built(NamedTuple):
    data: Any
    place: Place
    nodes: int  # with all aliases expanded


class _Builder:
    """Builds one document from parser events."""

    def __init__(self, file: str, dialect: _Dialect) -> None:
        self.file = file
        self.dialect = dialect
        self.mistakes: list[Mistake] = []
        self._events: Iterator[Any] = iter(())
        self._anchors: dict[str, _Built | None] = {}  # None while the anchored value is still being built
        self._nodes = 0

    def document(self, text: str) -> Document:
        try:
            self._check_size(text)
            self._events = yaml.parse(text, Loader=yaml.CLoader)
            return self._documents()
        except _Stop:
            pass
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            last = len(text.rstrip().splitlines())  # the parser stands behind the end when something is left open
            self._mistake(min(mark.line + 1, last) if mark else 0, (), f"not valid YAML: {error.problem}")
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, max(error.position, 0)) + 1
            self._mistake(line, (), f"not valid YAML: the character {_code(error.character)} is not allowed")
        return Document(None, None)

    def _check_size(self, text: str) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            self._stop(0, (), "holds characters that are not Unicode text")
        if size > MAX_BYTES:
            self._stop(0, (), f"is {size:,} bytes long; at most {MAX_BYTES:,} are read")
        if text.count("%TAG") > MAX_TAG_DIRECTIVES:
            self._stop(0, (), "holds too many %TAG directives")

    def _documents(self) -> Document:
        built: _Built | None = None
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if built is not None:
                self._stop(_line(event), (), "a second document starts here; one file is one document")
            built = self._node(next(self._events), ())
            if self.dialect.first_only:
                break
        if built is None or (built.data is None and not built.place.text):
            return Document(None, None)
        return Document(built.data, built.place)

    def _node(self, event: Any, path: Path) -> _Built:
        self._count(1, event, path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.anchor:
            self._anchors[event.anchor] = None
        before = self._nodes
        if isinstance(event, yaml.ScalarEvent):
            data, place = self._scalar(event, path)
        elif len(path) >= MAX_DEPTH:
            self._stop(_line(event), path[:8], f"values are nested more than {MAX_DEPTH} deep")
        else:
            self._check_tag(event, path)
            is_list = isinstance(event, yaml.SequenceStartEvent)
            data, place = self._sequence(event, path) if is_list else self._mapping(event, path)
        built = _Built(data, place, self._nodes - before + 1)
        if event.anchor:
            self._anchors[event.anchor] = built
        return built

    def _count(self, nodes: int, event: Any, path: Path) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._stop(_line(event), path, f"the document holds more than {MAX_NODES:,} values, aliases expanded")

    def _alias(self, event: Any, path: Path) -> _Built:
        line = _line(event)
        if not self.dialect.aliases:
            self._stop(
                line, path, f"aliases (*{event.anchor}) are refused by the CodeDeploy agent; write the value out"
            )
        if event.anchor not in self._anchors:
            self._stop(line, path, f"*{event.anchor} refers to an anchor that is not above it")
        built = self._anchors[event.anchor]
        if built is None:
            self._stop(line, path, f"*{event.anchor} stands inside the value that it refers to")
        self._count(built.nodes, event, path)
        place = Place(line, built.place.text)
        place.children = built.place.children
        return _Built(built.data, place, built.nodes)

    def _scalar(self, event: Any, path: Path) -> tuple[Any, Place]:
        place = Place(_line(event), event.value)
        if event.tag not in (None, "!"):
            self._check_tag(event, path)
            return event.value, place
        if not event.implicit[0]:
            return event.value, place  # quoted, or a block
        try:
            return self.dialect.scalar(event.value), place
        except ValueError as error:
            self._mistake(place.line, path, str(error))
            return None, place

    def _check_tag(self, event: Any, path: Path) -> None:
        if event.tag not in (None, "!", *_KNOWN_TAGS):
            self._mistake(_line(event), path, f"the tag {event.tag} is not supported; leave it out")

    def _sequence(self, event: Any, path: Path) -> tuple[Any, Place]:
        items: list[Any] = []
        place = Place(_line(event))
        while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
            built = self._node(inner, (*path, len(items)))
            place.children[len(items)] = built.place
            items.append(built.data)
        return items, place

    def _mapping(self, event: Any, path: Path) -> tuple[Any, Place]:
        values: dict[Any, Any] = {}
        place = Place(_line(event))
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self._key(inner, path, place)
            built = self._node(next(self._events), (*path, key))
            values.pop(key, None)
            values[key] = built.data
            at_key = Place(_line(inner), built.place.text)
            at_key.children = built.place.children
            place.children[key] = at_key
        return values, place

    def _key(self, event: Any, path: Path, mapping: Place) -> Any:
        line = _line(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(line, path, "a key must be text, and text that begins with { or [ needs quotes")
        self._count(1, event, path)
        key = self._scalar(event, path)[0]
        if event.value == "<<" and event.implicit[0]:
            self._mistake(line, (*path, "<<"), "merge keys are not supported; write the keys out")
        elif self.dialect.text_keys and not isinstance(key, str):
            self._mistake(line, (*path, event.value), f"a key must be text; put it in quotes: {event.value!r}")
            return event.value
        elif self.dialect.text_keys and key in mapping.children:
            first = mapping.children[key].line
            self._mistake(line, (*path, key), f"appears twice in one mapping; first on line {first}")
        return key

    def _mistake(self, line: int, path: Path, message: str) -> None:
        self.mistakes.append(Mistake(file=self.file, line=line, path=dotted(path), message=message))

    def _stop(self, line: int, path: Path, message: str) -> NoReturn:
        self._mistake(line, path, message)
        raise _Stop


_KNOWN_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _code(character: Any) -> str:
    return f"U+{character:04X}" if isinstance(character, int) else repr(character)


_CORE_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CORE_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_CORE_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def core_scalar(text: str) -> Any:
    """What a plain scalar means in YAML 1.2: `on`, `yes` are text, `0644` is 644. Raises `ValueError` out of range."""
    if text in _CORE_CONSTANTS:
        return _CORE_CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _CORE_INTEGER.fullmatch(text):
        return _bounded_integer(text)
    if _CORE_FLOAT.fullmatch(text):
        return _finite(text)
    return text


def _bounded_integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    if len(text) > 18:
        raise ValueError(f"the number {text[:18]}... is too long; put it in quotes if it is text")
    return int(text.removeprefix("0o"), base)


def _finite(text: str) -> float:
    number = float(text.replace(".inf", "inf")) if text[-1].isdigit() or text[-1] == "." else math.inf
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number that can be used; put it in quotes if it is text")
    return number


_AGENT_CONSTANTS = {
    **dict.fromkeys(("", "~", "null")),
    **dict.fromkeys(("yes", "true", "on"), True),
    **dict.fromkeys(("no", "false", "off"), False),
}
_AGENT_OCTAL = re.compile(r"[-+]?0[0-7_,]+")
_AGENT_INTEGER = re.compile(r"[-+]?(0|[1-9]([0-9]|,[0-9]|_[0-9])*)")
_AGENT_HEX = re.compile(r"[-+]?0x[0-9a-fA-F_,]+")
_AGENT_BINARY = re.compile(r"[-+]?0b[01_,]+")
_AGENT_FLOAT = re.compile(r"[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?")
_AGENT_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}")
_AGENT_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ]+[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?")
_AGENT_BASES = ((_AGENT_OCTAL, 8), (_AGENT_INTEGER, 10), (_AGENT_HEX, 16), (_AGENT_BINARY, 2))


def agent_scalar(text: str) -> Any:
    """What a plain scalar means to the official agent (YAML 1.1 by Ruby's Psych): `0644` is octal, `yes` is true."""
    if text.lower() in _AGENT_CONSTANTS:
        return _AGENT_CONSTANTS[text.lower()]
    if len(text) > 64:
        return text  # no number that anybody meant
    if _AGENT_DATE.fullmatch(text):
        raise ValueError(f"{text} reads as a date, which the CodeDeploy agent refuses; put it in quotes")
    digits = text.replace("_", "").replace(",", "")
    for form, base in _AGENT_BASES:
        if form.fullmatch(text) and digits.strip("+-").removeprefix("0x").removeprefix("0b"):
            return int(digits, base)
    if _AGENT_BASE_60.fullmatch(text):
        return _base_60(digits)
    if _AGENT_FLOAT.fullmatch(text) and any(character.isdigit() for character in text):
        return float(digits)
    return text


def _base_60(digits: str) -> int:
    total = 0
    for part in digits.lstrip("+-").split(":"):
        total = total * 60 + int(part)
    return -total if digits.startswith("-") else total
