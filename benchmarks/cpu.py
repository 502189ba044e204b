"""CPU time of a process and of everything that it starts, also of what nobody waits for: `getrusage` misses that.

It is counted by the kernel's own event `task-clock`, inherited by every child. Where that is not allowed (see
`kernel.perf_event_paranoid`) there is no figure.
"""

import ctypes
import os
import platform
import struct
import subprocess
from collections.abc import Sequence
from typing import Any

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_SOFTWARE, _TASK_CLOCK, _SIZE = 1, 1, 128
_INHERIT, _NOT_KERNEL, _NOT_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6  # the last two only ask for fewer rights
_CLOSE_ON_EXEC = 8


class Counted:
    """A child process whose descendants' CPU time is counted from its first instruction."""

    def __init__(self, command: Sequence[str], **how: Any) -> None:
        waiting = ["/bin/sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh", *command]
        self.process = subprocess.Popen(waiting, stdin=subprocess.PIPE, **how)
        self._counter = _open(self.process.pid)
        assert self.process.stdin
        self.process.stdin.write(b"\n")
        self.process.stdin.close()

    def cpu(self) -> float | None:
        """Seconds so far."""
        if self._counter is None:
            return None
        return float(struct.unpack("Q", os.read(self._counter, 8))[0]) / 1e9

    def end(self) -> int:
        """SIGTERM, and wait. Returns the exit status."""
        self.process.terminate()
        status = self.process.wait(30)
        if self._counter is not None:
            os.close(self._counter)
        return status


def _open(pid: int) -> int | None:
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None:
        return None
    flags = _INHERIT | _NOT_KERNEL | _NOT_HYPERVISOR
    wanted = struct.pack("=IIQQQQQ", _SOFTWARE, _SIZE, _TASK_CLOCK, 0, 0, 0, flags).ljust(_SIZE, b"\0")
    found = ctypes.CDLL(None).syscall(number, wanted, pid, -1, -1, _CLOSE_ON_EXEC)
    return None if found < 0 else int(found)
