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
    """The entries of one (lifecycle event, attempt) in the journal file *path*, which is made if it is not there."""

    def __init__(self, path: str, event: str, attempt: int) -> None:
        self._path = path
        self._key = {"event": event, "attempt": attempt}
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._read = 0  # bytes of it
        self._known: list[Entry] = []

    def began(self) -> Entry | None:
        """The entry of the event's beginning: `at`, and `log`, the size of scripts.log before it."""
        return self._last("began")

    def outcome(self) -> dict[str, Any] | None:
        """How the event ended, None while it has not."""
        ended = self._last("ended")
        return ended["outcome"] if ended else None

    def script_starts(self, number: int) -> list[Entry]:
        """Every start of script *number* (from 0), with its keeper's `pid` and the `ticks` at which that began."""
        return [entry for entry in self._all("script started") if entry["number"] == number]

    def script_end(self, number: int) -> Entry | None:
        """How script *number* ended: `code`, `message`. None when it has not, as far as anybody recorded."""
        ends = [entry for entry in self._all("script ended") if entry["number"] == number]
        return ends[-1] if ends else None

    def add(self, kind: str, durable: bool = False, **members: Any) -> None:
        """Add one entry. *durable*: it has to survive a power cut, because what it records must not happen twice."""
        line = json.dumps(dict(self._key, kind=kind, **members)).encode() + b"\n"
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(self._fd, line) != len(line):
            raise OSError("the journal {} could not be written: the disk is full".format(self._path))
        if durable:
            os.fdatasync(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def _last(self, kind: str) -> Entry | None:
        found = self._all(kind)
        return found[-1] if found else None

    def _all(self, kind: str) -> list[Entry]:
        """Entries of that kind, also those that another process has added meanwhile."""
        fresh = os.pread(self._fd, os.fstat(self._fd).st_size - self._read, self._read)
        fresh = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(fresh)
        entries = (_parse(line) for line in fresh.split(b"\n") if line)
        self._known += [entry for entry in entries if entry and all(entry.get(k) == v for k, v in self._key.items())]
        return [entry for entry in self._known if entry["kind"] == kind]


def _parse(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
