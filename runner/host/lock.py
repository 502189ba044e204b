"""One executor at a time per deployment group: a lock that the kernel lets go of when its last holder dies."""

from __future__ import annotations

import fcntl
import os


class GroupLock:
    """An exclusive lock on the file *path*. A fork holds it too, until it ends or closes its copy."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def try_to_take(self) -> bool:
        """Take the lock, or return False because another process holds it. Never waits."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Close this process's copy; the lock is free once every copy is closed."""
        os.close(self._fd)
