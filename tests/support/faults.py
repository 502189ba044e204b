"""What goes wrong on purpose: refused calls, lost answers, calls that are held, a client that is killed."""

import threading
from dataclasses import dataclass, field
from typing import Any

import processes

from support.asked import Asked


@dataclass
class Fault:
    """What happens to calls of *service* and *operation*; "*" stands for every one.

    *times*: how often it happens; None for always. *code*, *status*, *message*: the error that is answered; an empty
    code breaks the connection. *carried_out*: the call takes effect, and only its answer is lost.
    *per_second*: only calls beyond so many a second meet it.
    """

    service: str
    operation: str
    times: int | None = 1
    code: str = ""
    status: int = 400
    message: str = ""
    carried_out: bool = False
    per_second: float | None = None
    _tokens: float = 0.0
    _filled: float = 0.0

    def __post_init__(self) -> None:
        self._tokens = self.per_second or 0.0

    def meets(self, asked: Asked, now: float) -> bool:
        if self.times == 0 or not _matches(self, asked):
            return False
        return self.per_second is None or not self._within_rate(now)

    def _within_rate(self, now: float) -> bool:
        """A token bucket of one second's calls, as AWS' APIs have it."""
        assert self.per_second is not None
        passed = now - self._filled if self._filled else 0.0
        self._tokens, self._filled = min(self.per_second, self._tokens + passed * self.per_second), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class Hold:
    """Calls of *service* and *operation* wait here until it is released: before they take effect, or only after."""

    service: str
    operation: str
    carried_out: bool = False
    waiting: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.waiting += 1
        try:
            self.released.wait()
        finally:
            self.waiting -= 1


class Faults:
    """All that is arranged at present."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._holds: dict[int, Hold] = {}
        self._numbers = 0
        self._kill: tuple[int, int, bool] | None = None  # process, mutating calls until then, before it is carried out
        self.killed: list[int] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def meeting(self, asked: Asked, now: float) -> Fault | None:
        """The first fault that this call meets; it has happened once more."""
        with self._lock:
            for fault in self._faults:
                if fault.meets(asked, now):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def hold(self, service: str, operation: str, carried_out: bool) -> int:
        with self._lock:
            self._numbers += 1
            self._holds[self._numbers] = Hold(service, operation, carried_out)
            return self._numbers

    def waiting(self, number: int) -> int:
        return self._holds[number].waiting

    def release(self, number: int) -> None:
        with self._lock:
            if held := self._holds.pop(number, None):
                held.released.set()

    def wait(self, asked: Asked, *, carried_out: bool) -> None:
        """Until no hold stops this call any more."""
        with self._lock:
            ours = [each for each in self._holds.values() if each.carried_out == carried_out and _matches(each, asked)]
        for each in ours:
            each.wait()

    def kill_after(self, pid: int, calls: int, before: bool) -> None:
        if pid <= 1 or calls < 1:
            raise ValueError(f"cannot kill process {pid} after {calls} calls")
        with self._lock:
            self._kill = (pid, calls, before)

    def count(self, *, before: bool) -> bool:
        """One more mutating call is about to be carried out, or was. True: it is the one, and the process is dead."""
        with self._lock:
            if self._kill is None or self._kill[2] != before:
                return False
            pid, left, _ = self._kill
            if left > 1:
                self._kill = (pid, left - 1, before)
                return False
            self._kill = None
            self.killed.append(pid)
        processes.kill(pid)
        return True

    def forget(self) -> None:
        """Nothing goes wrong any more; what was held goes on."""
        with self._lock:
            for held in self._holds.values():
                held.released.set()
            self._holds, self._faults, self._kill, self.killed = {}, [], None, []


def _matches(wanted: Any, asked: Asked) -> bool:
    return wanted.service in ("*", asked.service) and wanted.operation in ("*", asked.operation)
