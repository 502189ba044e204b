"""Workflow commands (`::error file=...::...`), which a runner of GitHub Actions finds in what a step prints.

Commands are ours alone to give: whatever else is printed comes from repositories, hosts and servers, and goes through
`Inert`. Source: GitHub's "Workflow commands for GitHub Actions", and the runner, which reads `::` at the beginning of
a line, its older `##[` anywhere in one, and takes CR for the end of a line.
"""

import contextlib
import io
import re
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

_MOST_ANNOTATIONS = 10  # of each level, that GitHub shows of one step
_LONGEST = 4000  # characters of one message; GitHub cuts annotations at 4 KiB
_COMMAND = re.compile(r"^([^\x21-\x7e]*)::")


def command(name: str, message: str = "", **properties: str | int | None) -> str:
    """One command, escaped; properties that are None are left out."""
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None)
    return f"::{name}{' ' if given else ''}{given}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def defused(line: str) -> str:
    """*line*, without its end, as no runner takes it for a command."""
    return _COMMAND.sub(r"\1: :", line).replace("##[", "## [")


class Inert(io.TextIOBase):
    """A stream whose lines are defused on their way to *out*; an unfinished line waits for its end. Thread-safe."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._waiting, self._lock = out, "", threading.Lock()

    def write(self, text: str, /) -> int:
        with self._lock:
            *whole, self._waiting = re.split(r"\r\n|\r|\n", self._waiting + text)
            for line in whole:
                self._out.write(defused(line) + "\n")
        return len(text)

    def flush(self) -> None:
        with self._lock:
            self._out.flush()

    def finish(self) -> None:
        """Print a line that has no end."""
        if self._waiting:
            self.write("\n")
        self.flush()

    def give(self, given: str) -> None:
        """Print a command of our own, on a line of its own."""
        self.finish()
        with self._lock:
            self._out.write(given + "\n")
            self._out.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out.fileno()


class Screen:
    """The log of the step, while `in_place`: groups and annotations; whatever is printed meanwhile is inert."""

    def __init__(self, out: TextIO) -> None:
        self._inert = Inert(out)
        self._given: dict[str, int] = {}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Standard output and standard error are one inert stream, in the order in which things are printed."""
        with contextlib.redirect_stdout(self._inert), contextlib.redirect_stderr(self._inert):
            try:
                yield
            finally:
                self._inert.finish()

    @contextlib.contextmanager
    def group(self, title: str) -> Iterator[None]:
        """What is printed meanwhile folds under *title*."""
        self._inert.give(command("group", title))
        try:
            yield
        finally:
            self._inert.give(command("endgroup"))

    def annotate(self, level: str, title: str, message: str, file: str | None = None, line: int | None = None) -> None:
        """*level*: error, warning or notice. More than GitHub shows are printed as they are."""
        self._given[level] = self._given.get(level, 0) + 1
        if self._given[level] > _MOST_ANNOTATIONS:
            where = f"{file}:{line or 1} " if file else ""
            print(f"{where}{title}: {message}", file=sys.stdout)
            return
        self._inert.give(command(level, message[:_LONGEST], file=file, line=line or None, title=title))
