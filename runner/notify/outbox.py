"""Delivers the messages that wait in the store, at least once each, until they are taken or given up.

What to say, and to whom, was decided when the message was written. Each destination is served in order and by itself: one
that hangs or fails holds up only its own messages. Nothing of this holds up a deployment.
"""

import asyncio
import datetime as dt
import random as chance
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from runner.errors import RunnerError, Throttled, WorldError
from runner.log import get_logger
from runner.plan.backoff import Random, backoff
from runner.ports import Clock, Message, Notifier, OutboxStore

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

FIRST_RETRY = dt.timedelta(seconds=1)
LONGEST_WAIT = dt.timedelta(minutes=15)
GIVE_UP_AFTER = dt.timedelta(hours=24)
_AT_LEAST = dt.timedelta(milliseconds=50)
_LOOK_AGAIN = dt.timedelta(seconds=30)  # another process may have written messages
_WHILE_BUSY = dt.timedelta(seconds=1)  # what is in flight is due too, and hides what comes next


class Outbox:
    """Takes messages from *store* and hands them to *notifier*. *workers*: how many destinations are served at once."""

    def __init__(
        self,
        store: OutboxStore,
        notifier: Notifier,
        *,
        clock: Clock,
        random: Random = chance.random,
        sleep: Sleep = asyncio.sleep,
        workers: int = 8,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._workers = workers
        self._log = get_logger()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="penstock-notify")
        self._in_flight: dict[str, asyncio.Task[None]] = {}  # by destination
        self._failures: dict[int, int] = {}  # by message; to forget them when the process ends only hurries a retry
        self._store_failures = 0
        self._not_before = clock()  # while the store fails
        self._news: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """There is something new. May be called from any thread, at any time, however often."""
        loop, news = self._loop, self._news
        if loop is None or news is None:
            return  # nothing runs yet; the first thing it does is to look
        try:
            loop.call_soon_threadsafe(news.set)
        except RuntimeError:
            pass  # the loop is closed: nobody delivers any more

    async def run(self) -> None:
        """Deliver until cancelled. Then what is in flight is still brought to its end, which takes ten seconds at most."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        try:
            while True:
                self._news.clear()
                await self._start_due()
                await self._pause(await self._wait())
        finally:
            await self._land()

    async def flush(self) -> None:
        """Deliver what is due and return; what then waits for another attempt is left for the next time."""
        while await self._start_due() or self._in_flight:
            if self._in_flight:
                await asyncio.wait(self._in_flight.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _start_due(self) -> int:
        """Begin to deliver what is due, as far as there are workers. Returns how many were begun."""
        busy = frozenset(self._in_flight)  # by now: what ends while we read may still be among what we read
        free = self._workers - len(busy)
        if not free or self._clock() < self._not_before:
            return 0
        try:
            # Those in flight are due as well, and among so many at most they are all.
            due = await asyncio.to_thread(self._store.due_messages, self._clock(), self._workers)
        except Exception as error:  # noqa: BLE001 - whatever the store has: tomorrow's messages are still to be delivered
            self._store_failed(error)
            return 0
        if not due:
            self._store_failures = 0
        begun = _heads([message for message in due if message.to not in busy])[:free]
        for message in begun:
            self._begin(message)
        return len(begun)

    def _begin(self, message: Message) -> None:
        task = asyncio.create_task(self._deliver(message))
        self._in_flight[message.to] = task

        def ended(_: asyncio.Task[None]) -> None:
            del self._in_flight[message.to]
            if self._news is not None:
                self._news.set()

        task.add_done_callback(ended)

    async def _deliver(self, message: Message) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._attempt, message)
        except Exception as error:  # noqa: BLE001 - how it went is not recorded: it is still due, and will be sent again
            self._store_failed(error)
        else:
            self._store_failures = 0

    def _attempt(self, message: Message) -> None:
        """Send and record how it went, in a worker's thread. Raises only what the store raises."""
        try:
            self._notifier.send(message)
        except Exception as error:  # noqa: BLE001 - a bug in one notifier must not silence the others
            self._failed(message, error)
        else:
            self._failures.pop(message.id, None)
            self._store.message_sent(message.id, self._clock())

    def _failed(self, message: Message, error: Exception) -> None:
        ours = isinstance(error, RunnerError)
        said = str(error) if ours else f"internal error: {type(error).__name__}: {error}"
        log = self._log.bind(message=message.id, to=message.to, error=said)
        if not ours:
            log.error("notification failed by a bug", exc_info=error)
        now = self._clock()
        may_pass = not ours or (isinstance(error, WorldError) and error.retryable)
        if not may_pass or now - message.created_at >= GIVE_UP_AFTER:
            self._failures.pop(message.id, None)
            log.error("notification given up")
            self._store.message_failed(message.id, said, None)
            return
        failures = self._failures[message.id] = self._failures.get(message.id, 0) + 1
        wait = backoff(failures, first=FIRST_RETRY, most=LONGEST_WAIT, random=self._random)
        if isinstance(error, Throttled):
            wait = max(wait, error.wait)  # as the receiver asked
        if failures == 1:
            log.warning("notification could not be delivered; it will be tried again")
        self._store.message_failed(message.id, said, now + wait)

    def _store_failed(self, error: Exception) -> None:
        """Leave the store alone for a while: without it, a message that was sent would be sent again and again."""
        ours = isinstance(error, RunnerError)
        self._store_failures += 1
        if self._store_failures == 1 or not ours:
            self._log.error("outbox cannot use its store", error=str(error), exc_info=None if ours else error)
        wait = backoff(self._store_failures, first=FIRST_RETRY, most=LONGEST_WAIT, random=self._random)
        self._not_before = self._clock() + wait

    async def _wait(self) -> dt.timedelta:
        """How long there is nothing to do unless somebody wakes us."""
        if self._in_flight:
            return _WHILE_BUSY
        now = self._clock()
        if now < self._not_before:
            return self._not_before - now
        try:
            next_at = await asyncio.to_thread(self._store.next_message_at)
        except Exception as error:  # noqa: BLE001 - as above
            self._store_failed(error)
            return self._not_before - now
        return _LOOK_AGAIN if next_at is None else min(max(next_at - now, _AT_LEAST), _LOOK_AGAIN)

    async def _pause(self, wait: dt.timedelta) -> None:
        """Until something is new, or for *wait*."""
        assert self._news is not None
        told = asyncio.create_task(self._news.wait())
        over = asyncio.ensure_future(self._sleep(wait.total_seconds()))
        try:
            await asyncio.wait({told, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            over.cancel()

    async def _land(self) -> None:
        self._news = None
        if self._in_flight:
            await asyncio.wait(self._in_flight.values())


def _heads(messages: Sequence[Message]) -> list[Message]:
    """The first to each destination; a store gives no more, but two at once to one would be out of order."""
    first: dict[str, Message] = {}
    for message in messages:
        first.setdefault(message.to, message)
    return list(first.values())
