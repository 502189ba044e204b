"""One act under way: what it is about, how far it is, how long it may take, and how it waits."""

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.program import Task
from runner.model.services import EcsSpec, EcsState
from runner.platforms.services.calls import Calls
from runner.ports import Clock, Report
from runner.threads import in_thread

T = TypeVar("T")


_FIRST, _GROWTH = 0.5, 1.5  # seconds between the first two looks of a wait, and how much longer each next pause is


class Pace(NamedTuple):
    """*every*: seconds between two looks, at most. *limit*: how long an act may take; CodeDeploy gives 60 minutes.

    *settle*: seconds for which AWS may still show what was before a change. *born*: when this process began to work.
    """

    clock: Clock
    born: dt.datetime
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    every: float = 5.0
    limit: dt.timedelta = dt.timedelta(minutes=60)
    settle: float = 10.0

    def pauses(self) -> Iterator[float]:
        """Seconds to wait between looks: what is done soon is seen soon, what takes long is not asked for often."""
        length = min(_FIRST, self.every)
        while True:
            yield length
            length = min(length * _GROWTH, self.every)


class Work:
    """*state*: what is true now; it goes into the outcome, however the act ends."""

    def __init__(self, calls: Calls, task: Task, report: Report, pace: Pace) -> None:
        assert isinstance(task.job.spec, EcsSpec) and isinstance(task.state, EcsState)
        self.calls = calls
        self.task = task
        self.spec = task.job.spec
        self.state = task.state
        self.pace = pace
        self.began = pace.clock()
        self.ends = self.began + pace.limit
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._changed = self.began

    @property
    def is_fresh(self) -> bool:
        """Whether so little time has passed since this act changed anything that AWS may show what was before."""
        return self.pace.clock() < self._changed + dt.timedelta(seconds=self.pace.settle)

    def changed(self) -> None:
        self._changed = self.pace.clock()

    def note(self, **changes: Any) -> None:
        """Remember: fields of the state that have changed."""
        self.state = msgspec.structs.replace(self.state, **changes)

    def say(self, line: str) -> None:
        """From any thread; reported in the event loop's, before anything that follows there."""
        if threading.get_ident() == self._thread:
            self._report(f"{line}\n")
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._report, f"{line}\n")

    async def do(self, call: Callable[[], T]) -> T:
        """*call*, in a thread, and again while AWS throttles or does not answer, for as long as the act may take.

        So *call* must be safe to repeat from its start.
        """
        for pause in self.pace.pauses():
            try:
                return await in_thread(call)
            except AwsError as error:
                if not error.retryable or self.pace.clock() >= self.ends:
                    raise
                self.say(f"trying again: {error.message}")
            await self.pace.pause(pause)
        raise AssertionError("pauses never end")

    async def until(self, look: Callable[[], str], explain: Callable[[], str] | None = None) -> None:
        """Return when *look* finds nothing more to wait for; it answers what that is, and raises when waiting is in vain.

        *explain*: further lines for whoever reads that it took too long.
        """
        said, pauses = "", self.pace.pauses()
        while waits := await self.do(look):
            if waits != said:
                self.say(f"waiting: {waits}")
                said = waits
            if self.pace.clock() >= self.ends:
                more = await self.do(explain) if explain else ""
                raise Refused("TIMEOUT", f"after {self.pace.limit}: still waiting: {waits}{more}")
            await self.pace.pause(next(pauses))

    async def soon(self, look: Callable[[], str]) -> str:
        """What *look* still finds after the time in which AWS may show old things; "" as soon as it finds nothing."""
        ends, pauses = self.pace.clock() + dt.timedelta(seconds=self.pace.settle), self.pace.pauses()
        while (found := await self.do(look)) and self.pace.clock() < ends:
            await self.pace.pause(next(pauses))
        return found
