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
_HANDFUL = 64  # deliveries that are handed over at once, while the loop goes on with what else has arrived
_BUSY = 4  # deliveries that came together; then more are waited for
GATHER = 0.003  # seconds from one transaction to the next. A commit costs as much CPU as ten deliveries
_TIDY_AFTER, _TIDY_EVERY = 1_000, 3600.0  # deliveries, and seconds

Came: TypeAlias = Callable[[Mapping[str, int]], None]
"""Takes repositories that new deliveries came for, each with the number of a delivery. Called in the loop."""

Outcome: TypeAlias = Taken | Exception
"""What became of a delivery: durable, or the reason why not."""

Then: TypeAlias = Callable[[Outcome], None]
"""Takes the outcome. Called in the loop."""

_Waiting: TypeAlias = tuple[Delivery, Then]

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
        future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()

        def settle(outcome: Outcome) -> None:
            if future.done():
                return  # cancelled: nobody waits any more
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.hand(delivery, settle)
        return await future

    def hand(self, delivery: Delivery, then: Then) -> None:
        """Store *delivery*, and tell *then*. Must be called in the loop. Raises `WorldError`: the process ends."""
        if self._ended:
            raise WorldError("the process ends; it is to be sent again")
        self._gathered.append((delivery, then))
        if len(self._gathered) == 1:  # what arrives in one turn of the loop goes together: the writer is woken once
            asyncio.get_running_loop().call_soon(self._hand_over)
        elif len(self._gathered) == _HANDFUL:
            self._hand_over()

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
        busy, began = False, 0.0
        while (first := self._queue.get()) is not None:
            waiting, last = first, False
            if busy:
                time.sleep(max(0.0, began + GATHER - time.monotonic()))
            began = time.monotonic()
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
            for _, then in waiting:
                _told(then, stored)
            return
        new = {}
        for (delivery, then), taken in zip(waiting, stored.taken, strict=True):
            if taken == "New" and delivery.looks:
                new[delivery.repository] = stored.newest
            _told(then, taken)
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


def _told(then: Then, outcome: Outcome) -> None:
    try:
        then(outcome)
    except Exception as error:  # a bug of one must not leave the others waiting
        log.error("a delivery's sender could not be told", exc_info=error)
