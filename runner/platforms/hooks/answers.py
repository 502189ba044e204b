"""Waiting for the answers of hook functions: one question to the store for all that wait, however many."""

import asyncio
import datetime as dt
from functools import partial

from runner.errors import WorldError
from runner.ports import Clock
from runner.ports.hooks import HookExecution, HookStore
from runner.threads import in_thread

EVERY = 0.2  # seconds between two looks


class Answers:
    def __init__(self, store: HookStore, clock: Clock, every: float = EVERY) -> None:
        self._store, self._clock, self._every = store, clock, every
        self._waiting: dict[str, tuple[asyncio.Future[HookExecution], dt.datetime]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def wait(self, execution_id: str, until: dt.datetime) -> HookExecution:
        """The execution as it has ended; at *until* it is given up."""
        ended: asyncio.Future[HookExecution] = asyncio.get_running_loop().create_future()
        self._waiting[execution_id] = (ended, until)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look())
        try:
            return await ended
        finally:
            del self._waiting[execution_id]

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _look(self) -> None:
        while self._waiting:
            try:
                await self._settle()
            except WorldError:
                pass  # the disk is full, say: the driver says so, and what was answered is not lost
            except Exception as error:  # noqa: BLE001 - whoever waits is told
                for ended, _ in self._waiting.values():
                    if not ended.done():
                        ended.set_exception(error)
            await asyncio.sleep(self._every)

    async def _settle(self) -> None:
        """Tell those who wait what has ended, and end what has taken too long."""
        found = await in_thread(partial(self._store.look, tuple(self._waiting)))
        for execution_id, execution in found.items():
            if (waiting := self._waiting.get(execution_id)) is None:
                continue
            ended, until = waiting
            if execution.status == "InProgress" and self._clock() >= until:
                execution = await in_thread(partial(self._store.give_up, execution_id, self._clock()))
            if execution.status != "InProgress" and not ended.done():
                ended.set_result(execution)
