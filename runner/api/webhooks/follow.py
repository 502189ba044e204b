"""What follows a delivery: a look at its repository, and then the record that the delivery is settled.

A delivery is settled by a look that began after it was stored, whoever it is that looks for. Until then it is open, also
across the death of the process: the next one looks first at everything that is open. A little later comes one look more,
as a forge may tell of a push before all of its machines show it.
"""

import asyncio
import datetime as dt
import random as chance
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from runner.errors import RunnerError, UserError
from runner.log import get_logger
from runner.plan.backoff import Random, backoff
from runner.ports import Clock
from runner.ports.deliveries import Deliveries, Looks
from runner.threads import in_thread

APART = 0.5  # seconds between the beginnings of two looks at one repository, however many deliveries come
LATE = 5.0  # seconds from a look to the one after it

Rest: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

FIRST_RETRY, LONGEST_WAIT = dt.timedelta(seconds=1), dt.timedelta(minutes=5)


class Follow:
    """Has repositories looked at. Those that fail are tried again, ever more rarely, and hold up no others."""

    def __init__(
        self,
        store: Deliveries,
        clock: Clock,
        *,
        random: Random = chance.random,
        apart: float = APART,
        late: float = LATE,
        rest: Rest = asyncio.sleep,
    ) -> None:
        self._store, self._clock, self._random, self._rest = store, clock, random, rest
        self._apart, self._late = apart, late
        self._wanted: dict[str, int] = {}  # repository to the number of its newest open delivery
        self._heard: dict[str, dt.datetime] = {}
        self._looks: Looks | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._later: dict[str, asyncio.Task[None]] = {}

    def came(self, repositories: Mapping[str, int]) -> None:
        """New deliveries are stored. Must be called in the loop; what comes before `run` is looked after then."""
        self._heard.update(dict.fromkeys(repositories, self._clock()))
        self._want(repositories)

    def heard(self, repository: str) -> dt.datetime | None:
        """When the last delivery came that asked for a look at *repository*."""
        return self._heard.get(repository)

    async def run(self, looks: Looks) -> None:
        """Look after deliveries until cancelled, first after those that an earlier process left open."""
        self._looks = looks
        try:
            self._heard = {**await self._read_heard(), **self._heard}
            self._want(await self._read_open())
            self._want(dict(self._wanted))
            await asyncio.Event().wait()
        finally:
            self._looks = None
            for task in (tasks := [*self._tasks.values(), *self._later.values()]):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_open(self) -> Mapping[str, int]:
        return await in_thread(self._store.open)

    async def _read_heard(self) -> Mapping[str, dt.datetime]:
        return await in_thread(self._store.heard)

    def _want(self, repositories: Mapping[str, int]) -> None:
        for name, number in repositories.items():
            self._wanted[name] = max(number, self._wanted.get(name, 0))
            if self._looks is not None and name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._after(name, self._looks))

    async def _after(self, name: str, looks: Looks) -> None:
        """Look until nothing of *name* is open."""
        loop, failures = asyncio.get_running_loop(), 0
        try:
            while name in self._wanted:
                began = loop.time()
                try:
                    await self._look(name, looks)
                    failures, wait = 0, self._apart - (loop.time() - began)
                except Exception as error:  # noqa: BLE001 - one repository's trouble must not leave the others alone
                    failures += 1
                    self._told(name, error, failures)
                    wait = self._pause(failures)
                await self._rest(max(0.0, wait))
        finally:
            del self._tasks[name]

    async def _look(self, name: str, looks: Looks) -> None:
        up_to, why = self._wanted[name], ""
        try:
            await looks.look_now(name)
        except UserError as error:  # it is not in the configuration any more
            why = error.message
        else:
            self._look_later(name, looks)
        await in_thread(partial(self._store.settle, name, up_to, self._clock(), why))
        if self._wanted[name] == up_to:
            del self._wanted[name]

    def _look_later(self, name: str, looks: Looks) -> None:
        """Once for many looks; of what it fails by, whoever watches the repository knows as well."""

        async def look() -> None:
            await asyncio.sleep(self._late)
            del self._later[name]  # whoever looks from here on wants another one
            with suppress(RunnerError):
                await looks.look_now(name)

        if (waiting := self._later.get(name)) is not None:
            waiting.cancel()
        self._later[name] = asyncio.create_task(look())

    def _pause(self, failures: int) -> float:
        wait = backoff(failures, first=FIRST_RETRY, most=LONGEST_WAIT, random=self._random)
        return wait.total_seconds()

    def _told(self, name: str, error: Exception, failures: int) -> None:
        """Once for each run of failures; how the repository itself stands is told by who watches it."""
        ours = isinstance(error, RunnerError)
        if not ours:
            get_logger().error("no look after a webhook, by a bug", repository=name, exc_info=error)
        elif failures == 1:
            get_logger().warning("no look after a webhook; it will be tried again", repository=name, error=str(error))
