"""The watch: looks at the alarms of all deployments under way, and at the checks of their steps, and tells the store."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
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

Asked: TypeAlias = AwsPlace | HttpCheck


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
        self._seen: set[tuple[str, int | None]] = set()
        self._asking: dict[Asked, asyncio.Task[None]] = {}
        self._gets = asyncio.Semaphore(_AT_ONCE)
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = get_logger()

    def wake(self) -> None:
        """A deployment may have begun or gone on. May be called from any thread, at any time, however often."""
        if self._loop is None:
            return  # nothing runs yet; the first thing it does is to look
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            pass  # the loop is closed: nobody watches any more

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
            for task in list(self._asking.values()):
                task.cancel()

    async def look(self, *, only_new: bool = False) -> None:
        """Begin to ask for everything that is watched; with *only_new*, for what was not there the last time."""
        try:
            watched = await asyncio.to_thread(self._store.watched)
        except Exception as error:  # noqa: BLE001 - whatever the store has, the next look may succeed
            self._log.warning("deployments to watch could not be read", error=str(error))
            return
        seen, self._seen = self._seen, {_stage(each) for each in watched}
        wanted = [each for each in watched if not only_new or _stage(each) not in seen]
        everyone = by_place(watched)
        for place, of in by_place(wanted).items():
            self._ask(place, of, partial(self._look_at_alarms, place, of, everyone[place]))
        for check, who in by_url(wanted).items():
            self._ask(check, [each for each, _ in who], partial(self._get, check, who))

    async def settle(self) -> None:
        """Wait until everything that was asked has been answered."""
        while self._asking:
            await asyncio.wait(list(self._asking.values()))

    def _ask(self, whom: Asked, of: Iterable[Watched], asking: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if whom in self._asking:
            self._seen -= {_stage(each) for each in of}  # new the next time, too
            return
        task = asyncio.create_task(asking())
        self._asking[whom] = task

        def ended(_: asyncio.Task[None]) -> None:
            del self._asking[whom]
            self._news.set()  # somebody may have come meanwhile

        task.add_done_callback(ended)

    async def _look_at_alarms(self, place: AwsPlace, of: Sequence[Watched], everyone: Sequence[Watched]) -> None:
        """*everyone* there is asked for in the same breath: then the next newcomer has an answer that is young enough."""
        names, others = ({name for each in some for name in alarm_names(each)} for some in (of, everyone))
        read = partial(self._alarms.read, place, names, max_age=self._interval / 2, others=lambda: others)
        await self._tell(failed_by_alarms(of, await in_thread(read)))

    async def _get(self, check: HttpCheck, who: Sequence[tuple[Watched, str]]) -> None:
        async with self._gets:
            try:
                async with asyncio.timeout(check.timeout + _SLACK):
                    why = await in_thread(partial(http_failure, check))
            except TimeoutError:
                why = f"no answer within {check.timeout} s"
        if why is not None:
            await self._tell(Failed(each.deployment_id, of_check(name, check, why), each.step) for each, name in who)

    async def _tell(self, failures: Iterable[Failed]) -> None:
        for failure in failures:
            store = partial(self._store.failed, failure.deployment_id, failure.error, self._clock(), step=failure.step)
            try:
                new = await asyncio.to_thread(store)
            except Exception as error:  # noqa: BLE001 - the next look finds the same
                self._log.warning("an alarm could not be recorded", deployment=failure.deployment_id, error=str(error))
                continue
            if new:
                self._log.debug("alarm raised", deployment=failure.deployment_id, reason=failure.error.message)
                self._failed()

    async def _pause(self, seconds: float) -> None:
        """Until there is news, at most *seconds*."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._news.wait()
                await asyncio.sleep(_GATHER)
        except TimeoutError:
            pass


def _stage(watched: Watched) -> tuple[str, int | None]:
    """What is new when it was not there the last time: a deployment, or its step where that has checks of its own."""
    return watched.deployment_id, watched.step if watched.checks else None
