"""Ends what a killed keeper left running, before its script is run again: two of one script must never overlap."""

from __future__ import annotations

import os
import signal
import time


def ticks_of(pid: int) -> int | None:
    """When process *pid* started, in the kernel's ticks; with the number it names a process for good. None: not there."""
    stat = _stat(pid)
    return int(stat[19]) if stat else None


def end(keeper: int, ticks: int | None, grace: float) -> None:
    """End every process of the session that *keeper*, started at *ticks* and dead by now, had led: TERM, then KILL.

    A process number is not given out again while a session of that number lives, so only a live leader with another
    start can be a stranger. Daemons that left the keeper's session are not touched.
    """
    if ticks_of(keeper) not in (None, ticks):
        return
    deadline = time.monotonic() + grace
    signal_number = signal.SIGTERM
    while True:
        members = [pid for pid in _processes() if pid != keeper and _session(pid) == keeper]
        if not members:
            return
        for pid in members:
            _kill(pid, signal_number)
        time.sleep(0.02)
        if time.monotonic() >= deadline:
            signal_number = signal.SIGKILL


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return []


def _session(pid: int) -> int | None:
    """The session of a process that runs; None for one that is gone or only waits to be reaped."""
    stat = _stat(pid)
    return int(stat[3]) if stat and stat[0] not in ("Z", "X") else None


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; the name before them may hold anything."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
