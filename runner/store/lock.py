"""The driver's lock: one process drives a state folder. The kernel holds it, so that no crash leaves it behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StateFolderBusy, WorldError


@contextmanager
def driver_lock(folder: Path) -> Iterator[None]:
    """Hold the lock. Raises `StateFolderBusy`, naming the process that has it."""
    path = folder / "driver.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WorldError(f"the state folder {folder} cannot be written: {error.strerror}", retryable=False) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StateFolderBusy(
            f"process {holder} already drives the state folder {folder}; stop it first, or name another with --state"
        ) from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
