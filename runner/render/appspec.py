"""AppSpec files of servers, read as the official agent (1.8) reads them, so that a file means the same to both.

All mistakes at once, where the agent stops at the first; and warnings about what the agent lets pass in silence, such as
the octal trap of an unquoted `0644`. Where the agent would only fail on the host (a number as a user's name, say), the
mistake is reported here already. Source: CodeDeploy user guide, "AppSpec file reference"; `pipelines/server-in-place.yaml`.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, get_args

from runner import resources, yaml
from runner.errors import InvalidFiles, Mistake, dotted
from runner.model.appspec import AppSpec, FileExistsBehavior, FileMapping, Permission, Script
from runner.render.access import read_acl_entry, read_mode, read_range
from runner.render.text import decoded
from runner.schema import describe, nearest

Path: TypeAlias = tuple[Any, ...]

DEFAULT_TIMEOUT = 3600
MOST_WARNINGS = 100
LONGEST_EVENT = 3600  # seconds that the scripts of one lifecycle event may take together, by the user guide

_KEYS = ("version", "os", "files", "file_exists_behavior", "permissions", "hooks")
_FILE_KEYS = ("source", "destination")
_SCRIPT_KEYS = ("location", "timeout", "runas", "sudo")
_PERMISSION_KEYS = ("object", "pattern", "except", "type", "mode", "owner", "group", "acls", "context")
_CONTEXT_KEYS = ("name", "user", "type", "range")


def parse(text: bytes | str, file: str) -> tuple[AppSpec, tuple[Mistake, ...]]:
    """The AppSpec in *text*, and warnings. *file*: its name, for messages.

    Raises `InvalidFiles` with every mistake.
    """
    reader = _Reader(decoded(text, file), file)
    appspec = reader.read()
    if reader.mistakes:
        raise InvalidFiles(reader.mistakes)
    return appspec, tuple(sorted(reader.warnings))


class _Reader:
    """Reads one file, noting mistakes and warnings on the way."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []
        self.document = yaml.read_like_agent(text, file)

    def read(self) -> AppSpec:
        data = self.document.data
        if self.document.is_empty:
            self._refuse((), "is empty; an AppSpec begins with `version: 0.0`")
        elif not isinstance(data, dict):
            self._refuse((), f"expected a mapping, not {describe(data)}")
        if not isinstance(data, dict):
            return AppSpec()
        self._check_head(data)
        self._warn_of_unknown((), data, _KEYS)
        return AppSpec(
            files=tuple(self._files(data.get("files"))),
            permissions=tuple(self._permissions(data.get("permissions"))),
            hooks=dict(self._hooks(data.get("hooks"))),
            file_exists_behavior=self._file_exists_behavior(data.get("file_exists_behavior")),
        )

    def _check_head(self, data: dict[Any, Any]) -> None:
        version, system = data.get("version"), data.get("os")
        if isinstance(version, bool) or not isinstance(version, (int, float)) or version != 0:
            hint = "without quotes, " if isinstance(version, str) else ""
            self._refuse(("version",), f"expected 0.0, {hint}not {describe(version)}")
        if system != "linux":
            self._refuse(("os",), f"expected linux, not {describe(system)}")

    def _file_exists_behavior(self, value: Any) -> FileExistsBehavior | None:
        known: tuple[FileExistsBehavior, ...] = get_args(FileExistsBehavior)
        if value is None:
            return None
        for behavior in known:
            if value == behavior:
                return behavior
        near = nearest(str(value), known)
        hint = f"; did you mean {near}?" if near else ""
        self._refuse(("file_exists_behavior",), f"expected {' or '.join(known)}, not {describe(value)}{hint}")
        return None

    def _files(self, value: Any) -> Iterator[FileMapping]:
        for path, item in self._mappings(("files",), value):
            self._warn_of_unknown(path, item, _FILE_KEYS)
            source, destination = (self._required_text(path, item, key) for key in _FILE_KEYS)
            if source is not None and destination is not None:
                yield FileMapping(source=source, destination=destination)

    def _hooks(self, value: Any) -> Iterator[tuple[str, tuple[Script, ...]]]:
        if _is_absent(value):
            return
        if not isinstance(value, dict):
            return self._refuse(("hooks",), f"expected a mapping of lifecycle events, not {describe(value)}")
        for event, scripts in value.items():
            path = ("hooks", event)
            self._warn_of_event(path, event)
            if scripts is None:
                continue  # an event without scripts is no mistake
            read = tuple(self._script(at, item) for at, item in self._mappings(path, scripts, of="scripts"))
            self._warn_of_long_event(path, read)
            if isinstance(event, str):
                yield event, read

    def _script(self, path: Path, item: dict[Any, Any]) -> Script:
        self._warn_of_unknown(path, item, _SCRIPT_KEYS)
        runas = self._text((*path, "runas"), item.get("runas"))
        if runas == "":
            self._refuse((*path, "runas"), "is empty; name a user, or leave it out")
        return Script(
            location=self._location(path, item.get("location")),
            timeout=self._timeout((*path, "timeout"), item.get("timeout")),
            runas=runas,
            sudo=not _is_absent(item.get("sudo")),  # any other value means yes, to the agent as well
        )

    def _location(self, path: Path, value: Any) -> str:
        location = self._text((*path, "location"), value)
        if not location:
            self._refuse((*path, "location"), "location is missing; expected the path of a script inside the bundle")
        return location or ""

    def _timeout(self, path: Path, value: Any) -> int:
        if _is_absent(value):
            return DEFAULT_TIMEOUT
        seconds = _leading_integer(value)
        if seconds is None or seconds <= 0:
            self._refuse(path, f"expected a number of seconds above 0, not {describe(value)}")
            return DEFAULT_TIMEOUT
        if isinstance(value, str) and not value.strip().isdigit():
            self._warn(path, f"{value} is read as {seconds} seconds")
        return seconds

    def _permissions(self, value: Any) -> Iterator[Permission]:
        for path, item in self._mappings(("permissions",), value):
            self._warn_of_unknown(path, item, _PERMISSION_KEYS)
            name = self._text((*path, "object"), item.get("object"))
            if not name:
                self._refuse((*path, "object"), "object is missing; expected the path that the permission is for")
            context = self._context((*path, "context"), item.get("context"))
            yield Permission(
                object=name or "",
                pattern=self._plain_text((*path, "pattern"), item.get("pattern")) or "**",
                except_=self._texts((*path, "except"), item.get("except")),
                types=self._types((*path, "type"), item.get("type")),
                mode=self._mode((*path, "mode"), item.get("mode")),
                owner=self._plain_text((*path, "owner"), item.get("owner")),
                group=self._plain_text((*path, "group"), item.get("group")),
                acls=self._acls((*path, "acls"), item.get("acls")),
                context_user=context.get("user"),
                context_type=context.get("type"),
                context_range=context.get("range"),
            )

    def _types(self, path: Path, value: Any) -> Any:
        known = ("file", "directory")
        if _is_absent(value):
            return known
        types = self._texts(path, value)
        for index, kind in enumerate(types):
            if kind not in known:
                self._refuse((*path, index), f"expected file or directory, not {describe(kind)}")
        return types

    def _mode(self, path: Path, value: Any) -> str | None:
        if value is None:
            return None
        trap = self._number_trap(path, value)
        try:
            mode = read_mode(describe(value) if isinstance(value, (dict, list)) else value)
        except ValueError as error:
            self._refuse(path, f"{error}; {trap}" if trap else str(error))
            return None
        if trap:
            self._warn(path, f"the mode will be {mode}: {trap}")
        return mode

    def _number_trap(self, path: Path, value: Any) -> str | None:
        """What to say when YAML 1.1 makes another number of what is written: `0644` is octal for 420."""
        written = self.document.written(path)
        if not isinstance(value, int) or isinstance(value, bool) or str(value) == written:
            return None
        return f'without quotes {written} is read as the number {value}; write "{written}" in quotes'

    def _acls(self, path: Path, value: Any) -> Any:
        if value is None:
            return None
        entries = []
        for index, text in enumerate(self._texts(path, value)):
            try:
                entries.append(read_acl_entry(text))
            except ValueError as error:
                self._refuse((*path, index), str(error))
        return tuple(entries)

    def _context(self, path: Path, value: Any) -> dict[str, str | None]:
        """User, type and range. The agent reads the user from `name`; the user guide says `user`: both are taken."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(path, f"expected a mapping with type, not {describe(value)}")
            return {}
        self._warn_of_unknown(path, value, _CONTEXT_KEYS)
        if "user" in value and "name" not in value:
            self._warn((*path, "user"), "the CodeDeploy agent reads the user from `name` and ignores `user`")
        user = self._plain_text((*path, "name"), value.get("name", value.get("user")))
        kind = self._required_text(path, value, "type")
        return {"user": user, "type": kind, "range": self._range((*path, "range"), value.get("range"))}

    def _range(self, path: Path, value: Any) -> str | None:
        text = self._plain_text(path, value)
        if text is None:
            return None
        try:
            return read_range(text)
        except ValueError as error:
            self._refuse(path, str(error))
            return None

    def _mappings(self, path: Path, value: Any, of: str = "mappings") -> Iterator[tuple[Path, dict[Any, Any]]]:
        """The items of a list of mappings; nothing for null."""
        if value is None or (_is_absent(value) and len(path) == 1):
            return
        if not isinstance(value, list):
            return self._refuse(path, f"expected a list of {of}, not {describe(value)}")
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield (*path, index), item
            else:
                self._refuse((*path, index), f"expected a mapping, not {describe(item)}")

    def _texts(self, path: Path, value: Any) -> tuple[str, ...]:
        if _is_absent(value):
            return ()
        if not isinstance(value, list):
            self._refuse(path, f"expected a list, not {describe(value)}")
            return ()
        return tuple(self._plain_text((*path, index), item) or "" for index, item in enumerate(value))

    def _required_text(self, path: Path, item: dict[Any, Any], key: str) -> str | None:
        if item.get(key) is None:
            self._refuse((*path, key) if key in item else path, f"{key} is missing")
            return None
        return self._plain_text((*path, key), item[key])

    def _plain_text(self, path: Path, value: Any) -> str | None:
        """Text and nothing else: a number here fails on the host."""
        if value is None or isinstance(value, str):
            return value
        self._refuse(path, f"expected text, not {describe(value)}; put it in quotes")
        return None

    def _text(self, path: Path, value: Any) -> str | None:
        """Text, trimmed; other scalars are taken as their text."""
        if value is None or isinstance(value, str):
            return value.strip() if value else value
        if isinstance(value, (dict, list)):
            self._refuse(path, f"expected text, not {describe(value)}")
            return "?"
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _warn_of_unknown(self, path: Path, item: dict[Any, Any], known: tuple[str, ...]) -> None:
        for key in item:
            if key not in known and len(self.warnings) < MOST_WARNINGS:
                near = nearest(str(key), known)
                self._warn((*path, key), "unknown key, ignored" + (f"; did you mean {near}?" if near else ""))

    def _warn_of_event(self, path: Path, event: Any) -> None:
        if event in _hookable() or len(self.warnings) >= MOST_WARNINGS:
            return
        if event in _unhookable():
            self._warn(path, f"scripts never run in {event}, which is the agent's own; use a Before or After event")
        else:
            near = nearest(str(event), _hookable())
            self._warn(path, "unknown lifecycle event, never run" + (f"; did you mean {near}?" if near else ""))

    def _warn_of_long_event(self, path: Path, scripts: tuple[Script, ...]) -> None:
        total = sum(script.timeout for script in scripts)
        if len(scripts) > 1 and total > LONGEST_EVENT:
            limit = f"CodeDeploy allows {LONGEST_EVENT}"
            self._warn(path, f"the timeouts of its scripts add up to {total} seconds; {limit}")

    def _refuse(self, path: Path, message: str) -> None:
        self.mistakes.append(self._at(path, message))

    def _warn(self, path: Path, message: str) -> None:
        self.warnings.append(self._at(path, message))

    def _at(self, path: Path, message: str) -> Mistake:
        return Mistake(file=self.file, line=self.document.line(path), path=dotted(path), message=message)


def _is_absent(value: Any) -> bool:
    """What the agent's `value || default` takes for nothing. Not 0, which Ruby holds for true."""
    return value is None or value is False


def _leading_integer(value: Any) -> int | None:
    """The agent's `to_i`: `10s` is 10, 1.9 is 1; None for what is no number at all."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return int(value)
    match = re.match(r"\s*([-+]?[0-9]{1,9})", value, re.ASCII) if isinstance(value, str) else None
    return int(match[1]) if match else None


@functools.cache
def _events() -> tuple[dict[str, Any], ...]:
    name = "server-in-place.yaml"
    return tuple(yaml.read(resources.read("pipelines", name), name).data["lifecycle_events"])


def _hookable() -> tuple[str, ...]:
    return tuple(event["name"] for event in _events() if event["hookable"])


def _unhookable() -> tuple[str, ...]:
    return tuple(event["name"] for event in _events() if not event["hookable"])
