"""Names a process for good: a number is given out again, a number with its start and the machine's boot is not."""

from __future__ import annotations

import os
import time

from runner.host.lean.record import Record

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # what /proc counts from; Python has it on Linux only
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_boot: list[str] = []  # the machine's boot, once it was asked for


class Process(Record):
    """Process *pid*, which began *ticks* after the boot named *boot*. Where there is no /proc: None and ""."""

    pid: int
    ticks: int | None
    boot: str

    def is_alive(self) -> bool:
        """Whether it still runs; one that only waits to be reaped does not."""
        if self.boot != _this_boot() or self.pid <= 1:
            return False
        if self.ticks is None:
            return _is_there(self.pid)
        stat = stat_of(self.pid)
        return stat is not None and stat[0] not in ("Z", "X") and int(stat[19]) == self.ticks

    def began(self) -> float:
        """When it began, by the clock of `now`; where that is not known, now."""
        return now() if self.ticks is None else self.ticks / _TICKS_PER_SECOND


def now() -> float:
    """Seconds since the machine's boot, sleep included: nobody can set this clock."""
    return time.clock_gettime(_CLOCK)


def process_of(pid: int) -> Process:
    """The process that has the number *pid* at this moment."""
    stat = stat_of(pid)
    return Process(pid=pid, ticks=int(stat[19]) if stat else None, boot=_this_boot())


def stat_of(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; the name before them may hold anything. None: not there."""
    try:
        fd = os.open("/proc/{}/stat".format(pid), os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(fd, 4096).rpartition(b")")[2].decode().split()
    except OSError:
        return None
    finally:
        os.close(fd)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _this_boot() -> str:
    """What tells this boot of the machine from every other; "" where the system does not say."""
    if not _boot:
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                _boot.append(file.read().strip())
        except OSError:
            _boot.append("")
    return _boot[0]
