"""Exclusion between the processes (and threads) that share a state folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from runner.errors import WorldError


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold the lock file at *path* and yield its descriptor; wait for whoever has it.

    The kernel lets go of it when a process dies, however it dies. Also excludes the threads of one process. Not
    re-entrant. Raises `WorldError` when the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WorldError(f"cannot lock {path}: {error.strerror}; is the state folder writable?") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
