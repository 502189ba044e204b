"""The watch: looks at the alarms of all deployments under way, and at the checks of their steps, and tells the store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeAlias

from runner.checks.asking import Failed, alarm_names, by_place, by_url, failed_by_alarms, of_check
from runner.checks.cloudwatch import AlarmStates
from runner.checks.http import http_failure
from runner.log import get_logger
from runner.model.aws import AwsPlace
from runner.model.checks import HttpCheck
from runner.ports import Clock
from runner.ports.checks import Watched, WatchStore
from runner.threads import in_thread

_AT_ONCE = 16  # GETs
_GATHER = 0.2  # seconds in which several pieces of news are one
_SLACK = 2.0  # seconds that a GET may take beyond its time-out, for a name server that hangs


class Watch:
    """Looks every *interval* seconds, and at once when a deployment has begun or come to a step with checks.

    Whoever does not answer holds up nothing else: he is asked again when he has, and is told of no more than that.
    *failed* is called when the store has something new.
    """

    def __init__(
        self,
        store: WatchStore,
        alarms: AlarmStates,
        *,
        clock: Clock,
        interval: float,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._alarms, self._clock, self._interval = store, alarms, clock, interval
        self._failed = failed
        self._seen: set[tuple[str, int]] = set()
        self._asking: dict[AwsPlace | HttpCheck, asyncio.Task[None]] = {}
        self._gets = asyncio.Semaphore(_AT_ONCE)
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = get_logger()

    def wake(self) -> None:
        """A deployment may have begun or gone on. May be called from any thread, at any time, however often."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def run(self) -> None:
        """Watch until cancelled."""
        self._loop = asyncio.get_running_loop()
        due = time.monotonic()
        try:
            while True:
                self._news.clear()
                late = time.monotonic() >= due
                due = time.monotonic() + self._interval if late else due
                await self.look(only_new=not late)
                await self._pause(due - time.monotonic())
        finally:
            for task in self._asking.values():
                task.cancel()

    async def look(self, *, only_new: bool = False) -> None:
        """Begin to ask for everything that is watched; with *only_new*, for what was not there the last time."""
        try:
            watched = await asyncio.to_thread(self._store.watched)
        except Exception as error:  # noqa: BLE001 - whatever the store has, the next look may succeed
            self._log.warning("deployments to watch could not be read", error=str(error))
            return
        seen, self._seen = self._seen, {(each.deployment_id, each.step) for each in watched}
        wanted = [each for each in watched if not only_new or (each.deployment_id, each.step) not in seen]
        for place, of in by_place(wanted).items():
            self._ask(place, self._alarms_of(place, of))
        for check, who in by_url(wanted).items():
            self._ask(check, self._get(check, who))

    async def settle(self) -> None:
        """Wait until everything that was asked has been answered."""
        while self._asking:
            await asyncio.wait(self._asking.values())

    def _ask(self, whom: AwsPlace | HttpCheck, asking: Coroutine[Any, Any, None]) -> None:
        if whom in self._asking:
            asking.close()
            self._seen = set()  # who came meanwhile is new the next time, too
            return
        task = asyncio.create_task(asking)
        self._asking[whom] = task
        task.add_done_callback(lambda _: self._asking.pop(whom, None))
