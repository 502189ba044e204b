"""Deliveries into the store, durably, before anybody is answered: all that wait share one transaction.

The transactions are made in a thread of their own. While one is on its way to the disk, the next gathers.
"""

import asyncio
import datetime as dt
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from runner.errors import RunnerError, WorldError
from runner.log import get_logger
from runner.model.delivery import Delivery, Taken
from runner.ports import Clock
from runner.ports.deliveries import Deliveries, Stored
from runner.threads import in_thread

REMEMBERED = dt.timedelta(days=30)
_TOGETHER = 512  # deliveries in one transaction, about
_BUSY = 4  # deliveries that came together; then more are waited for
GATHER = 0.002  # seconds. A commit costs a millisecond of CPU, whatever is in it
_TIDY_AFTER, _TIDY_EVERY = 1_000, 3600.0  # deliveries, and seconds

Came: TypeAlias = Callable[[Mapping[str, int]], None]
"""Takes repositories that new deliveries came for, each with the number of a delivery. Called in the loop."""

_Waiting: TypeAlias = tuple[Delivery, "asyncio.Future[Taken]"]

log = get_logger()


class Intake:
    """Stores deliveries. *came* is told of what is new and wants a look, once it is durable."""

    def __init__(self, store: Deliveries, came: Came, clock: Clock) -> None:
        self._store, self._came, self._clock = store, came, clock
        self._gathered: list[_Waiting] = []
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._untidy, self._tidied = 0, float("-inf")

    async def take(self, delivery: Delivery) -> Taken:
        """Store *delivery*; durable when this returns. Raises `WorldError`: the database cannot be used,
        or the process ends.
        """
        if self._ended:
            raise WorldError("the process ends; it is to be sent again")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Taken] = loop.create_future()
        self._gathered.append((delivery, future))
        if len(self._gathered) == 1:  # what arrives in one turn of the loop goes together: the writer is woken once
            loop.call_soon(self._hand_over)
        return await future

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    async def run(self) -> None:
        """Store what comes until cancelled; what has come by then is stored still."""
        self._loop = asyncio.get_running_loop()
        writer = threading.Thread(target=self._write, name="penstock-deliveries", daemon=True)
        writer.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._ended = True
            self._hand_over()
            self._queue.put(None)
            await in_thread(writer.join)

    def _write(self) -> None:
        busy = False
        while (first := self._queue.get()) is not None:
            waiting, last = first, False
            if busy:
                time.sleep(GATHER)
            while len(waiting) < _TOGETHER and not self._queue.empty():
                if (more := self._queue.get()) is None:
                    last = True
                    break
                waiting += more
            self._store_together(waiting)
            busy = len(waiting) >= _BUSY
            if last:
                return
            self._tidy(len(waiting))

    def _store_together(self, waiting: Sequence[_Waiting]) -> None:
        stored: Stored | Exception
        try:
            stored = self._store.take([delivery for delivery, _ in waiting])
        except Exception as error:  # noqa: BLE001 - whoever waits decides
            stored = error
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._tell, waiting, stored)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    def _tell(self, waiting: Sequence[_Waiting], stored: Stored | Exception) -> None:
        if isinstance(stored, Exception):
            for _, future in waiting:
                if not future.done():
                    future.set_exception(stored)
            return
        new = {}
        for (delivery, future), taken in zip(waiting, stored.taken, strict=True):
            if taken == "New" and delivery.looks:
                new[delivery.repository] = stored.newest
            if not future.done():
                future.set_result(taken)
        if new:
            self._came(new)

    def _tidy(self, more: int) -> None:
        """Forget what is old, now and then."""
        self._untidy += more
        if self._untidy < _TIDY_AFTER and time.monotonic() - self._tidied < _TIDY_EVERY:
            return
        self._untidy, self._tidied = 0, time.monotonic()
        try:
            self._store.forget(self._clock() - REMEMBERED)
        except RunnerError as error:
            log.warning("old deliveries could not be dropped", error=error.message)
