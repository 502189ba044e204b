"""Processes that a test started, as it looks at them and ends them: one by one, and never a stranger."""

import contextlib
import os
import signal
from pathlib import Path


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on. Raises `OSError` when it is not there."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def parent_of(pid: int) -> int:
    return int(stat_of(pid)[1])


def children_of(pid: int | None) -> list[int]:
    """The numbers of the processes that *pid* started and that are there; None has none."""
    found: list[int] = []
    for entry in Path("/proc").iterdir() if pid is not None else ():
        with contextlib.suppress(ValueError, OSError):
            if parent_of(int(entry.name)) == pid:
                found.append(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    """Whether it does more than wait to be reaped."""
    try:
        return stat_of(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill(pid: int, parent: int | None = None) -> bool:
    """Kill the one process *pid*; with *parent*, only if that is still its parent. False: it was gone before.

    To the kernel, numbers of 0 and below mean many processes at once, and -1 means all: those are refused. The
    descriptor pins the process down, so that its number cannot become another's between the look and the signal.
    """
    if pid <= 1:
        raise ValueError(f"{pid} is not the number of a process that a test may kill")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if parent is not None and parent_of(pid) != parent:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return False
    finally:
        os.close(descriptor)
    return True
