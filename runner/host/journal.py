"""The host's journal of one deployment: JSON lines, only ever added to. What it says has ended is never run again.

Written by whoever holds the group's lock. A line is one `write`, so the death of a process cannot tear it; the death
of the machine can, and a torn line counts as not written.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict

Entry = Dict[str, Any]  # kind, event, attempt, and what belongs to the kind


class Journal:
    """The entries of one (lifecycle event, attempt) in the journal file *path*."""

    def __init__(self, path: str, event: str, attempt: int) -> None:
        self._path = path
        self._key = {"event": event, "attempt": attempt}

    def began(self) -> Entry | None:
        """The entry of the event's beginning: `at`, and `log`, the size of scripts.log before it."""
        return self._last("began")

    def outcome(self) -> dict[str, Any] | None:
        """How the event ended, None while it has not."""
        ended = self._last("ended")
        return ended["outcome"] if ended else None

    def script_starts(self, number: int) -> list[Entry]:
        """Every start of script *number* (from 0), with its keeper's `pid` and the `ticks` at which that began."""
        return [entry for entry in self._entries() if entry["kind"] == "script started" and entry["number"] == number]

    def script_end(self, number: int) -> Entry | None:
        """How script *number* ended: `code`, `message`. None when it has not, as far as anybody recorded."""
        ends = [entry for entry in self._entries() if entry["kind"] == "script ended" and entry["number"] == number]
        return ends[-1] if ends else None

    def add(self, kind: str, durable: bool = False, **members: Any) -> None:
        """Add one entry. *durable*: it has to survive a power cut, because what it records must not happen twice."""
        line = json.dumps(dict(self._key, kind=kind, **members)).encode() + b"\n"
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(fd, line) != len(line):
                raise OSError("the journal {} could not be written: the disk is full".format(self._path))
            if durable:
                os.fdatasync(fd)
        finally:
            os.close(fd)

    def _last(self, kind: str) -> Entry | None:
        found = [entry for entry in self._entries() if entry["kind"] == kind]
        return found[-1] if found else None

    def _entries(self) -> list[Entry]:
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        entries = (_parse(line) for line in lines)
        return [entry for entry in entries if entry and all(entry.get(key) == self._key[key] for key in self._key)]


def _parse(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
