"""Ends what is left of a script whose shell has died, before it is run again: two of one script must never overlap."""

from __future__ import annotations

import os
import time

from runner.host.lean.signals import signal
from runner.host.scripts.process import Process, process_of, stat_of

_LOOK_AGAIN = 0.02  # seconds
_KILL_TAKES = 5.0  # seconds, at most


def end(leader: Process, grace: float) -> None:
    """End every process of the group that *leader* leads or led: TERM, and KILL after *grace* seconds.

    A process number is not given out again while a group of that number lives, so a live leader with another start,
    and whatever is from before the machine's last boot, is a stranger. Daemons that left the group are not touched.
    """
    present = process_of(leader.pid)
    if present.boot != leader.boot or present.ticks not in (None, leader.ticks):
        return
    deadline = time.monotonic() + grace
    number = signal.SIGTERM
    while True:
        members = [pid for pid in _processes() if _group(pid) == leader.pid]
        if not members:
            return
        for pid in members:
            _kill(pid, number)
        time.sleep(_LOOK_AGAIN)
        if time.monotonic() >= deadline + _KILL_TAKES:  # it is not ours to end, or stuck in the kernel
            return
        if time.monotonic() >= deadline:
            number = signal.SIGKILL


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return []


def _group(pid: int) -> int | None:
    """The process group of a process that runs; None for one that is gone or only waits to be reaped."""
    stat = stat_of(pid)
    return int(stat[2]) if stat and stat[0] not in ("Z", "X") else None


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
