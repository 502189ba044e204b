"""The host's journal of one deployment: JSON lines, only ever added to. What it says has ended is never run again.

Written by whoever holds the group's lock, and by the shells of its scripts. A line is one `write`, so the death of a
process cannot tear it; the death of the machine can, and a torn line counts as not written.
"""

from __future__ import annotations

import os

from runner.host.lean import plain_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Entry = Dict[str, Any]  # kind, event, attempt, and what belongs to the kind


class Journal:
    """The entries of one (lifecycle event, attempt) in the journal file *path*, which is made if it is not there."""

    def __init__(self, path: str, event: str, attempt: int) -> None:
        self.path = path
        self.key = {"event": event, "attempt": attempt}
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
        """Every start of script *number* (from 0): `pid`, `ticks` and `boot` of the shell that it runs below."""
        return self._of_script("script started", number)

    def script_end(self, number: int) -> int | None:
        """The exit status of script *number*, None when it has not come to its end, as far as anybody recorded."""
        ends = self._of_script("script ended", number)
        return int(ends[-1]["status"]) if ends else None

    def has_timed_out(self, number: int) -> bool:
        """Whether the time of script *number* was up before it came to its end."""
        return bool(self._of_script("script timed out", number))

    def unfinished_end(self, number: int) -> str:
        """The line that records the end of script *number*, but for the status and the closing brace."""
        return plain_json.dumps(dict(self.key, kind="script ended", number=number))[:-1] + ', "status": '

    def fileno(self) -> int:
        return self._fd

    def make_durable(self) -> None:
        """Have all entries survive a power cut."""
        os.fdatasync(self._fd)

    def add(self, kind: str, durable: bool = False, **members: Any) -> None:
        """Add one entry. *durable*: it has to survive a power cut, because what it records must not happen twice."""
        line = plain_json.dumps(dict(self.key, kind=kind, **members)).encode() + b"\n"
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(self._fd, line) != len(line):
            raise OSError("the journal {} could not be written: the disk is full".format(self.path))
        if durable:
            self.make_durable()

    def close(self) -> None:
        os.close(self._fd)

    def _last(self, kind: str) -> Entry | None:
        found = self._all(kind)
        return found[-1] if found else None

    def _of_script(self, kind: str, number: int) -> list[Entry]:
        return [entry for entry in self._all(kind) if entry["number"] == number]

    def _all(self, kind: str) -> list[Entry]:
        """Entries of that kind, also those that another process has added meanwhile."""
        size = os.fstat(self._fd).st_size
        if size > self._read:
            self._learn(os.pread(self._fd, size - self._read, self._read))
        return [entry for entry in self._known if entry["kind"] == kind]

    def _learn(self, fresh: bytes) -> None:
        fresh = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(fresh)
        entries = (_parse(line) for line in fresh.split(b"\n") if line)
        self._known += [entry for entry in entries if entry and all(entry.get(k) == v for k, v in self.key.items())]


def _parse(line: bytes) -> Entry | None:
    try:
        entry = plain_json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
