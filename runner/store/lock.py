"""The driver's lock: one process drives a state folder. The kernel holds it, so that no crash leaves it behind.

The file says who holds it: a line with the process number and the machine's name, and one with the URL where that process
listens, if it does. What a process leaves behind in the file means nothing once the lock is free.
"""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from runner.errors import StateFolderBusy, WorldError
from runner.store.ownership import what_to_do

_LONGEST = 1024  # bytes of the file that are read
_TRIES, _BETWEEN = 3, 0.01  # seconds; whoever only looks at the lock has it for some microseconds


class Holder(NamedTuple):
    """Who drives a state folder. In containers every number is 1, so the *machine* tells them apart."""

    pid: str
    machine: str
    url: str | None

    @property
    def name(self) -> str:
        """`process 71`, or `process 1 on penstock-29131-x7k2p`."""
        return f"process {self.pid}" + (f" on {self.machine}" if self.machine not in ("", _machine()) else "")


class Held(NamedTuple):
    """The lock, while this process has it."""

    descriptor: int

    def tell(self, url: str | None) -> None:
        """Let others know who holds it, and where this process listens."""
        text = f"{os.getpid()} {_machine()}\n" + (f"{url}\n" if url else "")
        with suppress(OSError):  # on a full disk the lock holds all the same
            os.pwrite(self.descriptor, text.encode(), 0)
            os.ftruncate(self.descriptor, len(text.encode()))


@contextmanager
def driver_lock(folder: Path) -> Iterator[Held]:
    """Hold the lock. Raises `StateFolderBusy`, naming the process that has it."""
    descriptor = _open(folder, os.O_RDWR | os.O_CREAT)
    try:
        if not _locked(descriptor, fcntl.LOCK_EX):
            raise StateFolderBusy(
                f"{_read(descriptor).name} already drives the state folder {folder}; stop it first, or name another "
                "with --state"
            )
        held = Held(descriptor)
        held.tell(None)
        yield held
    finally:
        os.close(descriptor)


def holder(folder: Path) -> Holder | None:
    """Who drives *folder*; None when nobody does. Raises `WorldError`."""
    if not (folder / "driver.lock").exists():
        return None
    descriptor = _open(folder, os.O_RDONLY)
    try:
        return None if _locked(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _open(folder: Path, how: int) -> int:
    try:
        return os.open(folder / "driver.lock", how | os.O_CLOEXEC, 0o600)
    except OSError as error:
        said = f"the state folder {folder} cannot be written ({error.strerror}); {what_to_do(folder)}"
        raise WorldError(said, retryable=False) from error


def _locked(descriptor: int, how: int) -> bool:
    for attempt in range(_TRIES):
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if attempt + 1 < _TRIES:
                time.sleep(_BETWEEN)
    return False


def _read(descriptor: int) -> Holder:
    first, _, rest = os.pread(descriptor, _LONGEST, 0).decode(errors="replace").partition("\n")
    pid, _, machine = first.partition(" ")
    return Holder(pid or "unknown", machine, rest.partition("\n")[0] or None)


def _machine() -> str:
    return socket.gethostname()
