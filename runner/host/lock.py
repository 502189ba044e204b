"""One executor at a time per deployment group: a lock that the kernel lets go of when its last holder dies."""

from __future__ import annotations

import fcntl
import os


class GroupLock:
    """An exclusive lock on the file *path*, held by one process, and a note in it that outlives the process.

    A fork holds it too, until it ends or closes its copy; a program that is started does not.
    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def try_to_take(self) -> bool:
        """Take the lock, or return False because another process holds it. Never waits."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def let_go(self) -> None:
        """Let others take it."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def note(self, text: str) -> None:
        """Put one line down, in the place of the one before, for whoever holds the lock after us."""
        os.pwrite(self._fd, text.encode() + b"\n", 0)

    def noted(self) -> str:
        """What was put down last, "" when nothing was."""
        return os.pread(self._fd, 1 << 16, 0).partition(b"\n")[0].decode().strip()

    def close(self) -> None:
        """Close this process's copy; the lock is free once every copy is closed."""
        os.close(self._fd)
