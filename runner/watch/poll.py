"""Watches git remotes by asking them, each at its own interval. Deploys nothing and remembers no commit.

Every repository has a task and, while it is asked, a thread. At most *workers* are asked at once; one that does not answer
within *patience* gives its place to others and is waited for all the same, so it is never asked twice at once.
"""

import asyncio
import datetime as dt
import random as chance
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from runner.config import RepositoryConfig
from runner.errors import WorldError
from runner.model.status import RepositoryState
from runner.plan.backoff import Random, backoff, jittered
from runner.ports import Clock, Observe, Repository
from runner.threads import in_thread
from runner.watch.look import Watched, look
from runner.watch.standing import Standing, Tell, tell_nobody

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""

LONGEST_WAIT = dt.timedelta(minutes=15)
PATIENCE = dt.timedelta(seconds=20)


class Poller:
    """Asks *repositories*, whatever `watch` their configuration names; the caller has chosen them. Implements `Watcher`."""

    def __init__(
        self,
        repositories: Sequence[Watched],
        *,
        clock: Clock,
        random: Random = chance.random,
        sleep: Sleep = asyncio.sleep,
        workers: int = 16,
        patience: dt.timedelta = PATIENCE,
        tell: Tell = tell_nobody,
    ) -> None:
        self._random = random
        self._sleep = sleep
        self._workers = workers
        self._patience = patience
        self._polls = [
            _Poll(config, repository, Standing(config.name, clock, tell)) for config, repository in repositories
        ]

    def states(self) -> tuple[RepositoryState, ...]:
        """How each repository stands, in the order given."""
        return tuple(poll.standing.state for poll in self._polls)

    async def run(self, observe: Observe) -> None:
        """Poll until cancelled: each repository at once, then at its interval; failing ones ever more rarely."""
        slots = asyncio.Semaphore(self._workers)
        async with asyncio.TaskGroup() as tasks:
            for poll in self._polls:
                tasks.create_task(self._keep_polling(poll, observe, slots))

    async def poll_once(self, observe: Observe, *, within: dt.timedelta = PATIENCE * 3) -> tuple[RepositoryState, ...]:
        """Poll every repository once, concurrently. *within*: how long each may take.

        Returns how each went, in the order given: `last_error` is None when what it has now is recorded. Raises nothing.
        """
        slots = asyncio.Semaphore(self._workers)
        await asyncio.gather(*(poll.once(observe, slots, self._patience, within) for poll in self._polls))
        return self.states()

    async def _keep_polling(self, poll: "_Poll", observe: Observe, slots: asyncio.Semaphore) -> None:
        while True:
            await poll.once(observe, slots, self._patience, None)
            wait = self._wait(poll)
            poll.standing.waits(wait)
            await self._sleep(wait.total_seconds())

    def _wait(self, poll: "_Poll") -> dt.timedelta:
        interval, failures = poll.config.interval, poll.standing.state.failures
        if failures:
            return backoff(failures, first=interval, most=LONGEST_WAIT, random=self._random)
        return jittered(interval, self._random)


class _Poll:
    """One repository and how it stands."""

    def __init__(self, config: RepositoryConfig, repository: Repository, standing: Standing) -> None:
        self.config = config
        self.standing = standing
        self._repository = repository

    async def once(
        self, observe: Observe, slots: asyncio.Semaphore, patience: dt.timedelta, within: dt.timedelta | None
    ) -> None:
        """Ask once and note how it went. *within* None: wait for the answer however long it takes."""
        try:
            await self._ask(observe, slots, patience, within)
        except Exception as error:  # noqa: BLE001 - a bug met with one repository must not blind us to the others
            self.standing.failed(error)
        else:
            self.standing.answered()

    async def _ask(
        self, observe: Observe, slots: asyncio.Semaphore, patience: dt.timedelta, within: dt.timedelta | None
    ) -> None:
        asking = None
        try:
            async with slots:
                asking = asyncio.create_task(in_thread(partial(look, self.config, self._repository, observe)))
                await asyncio.wait({asking}, timeout=patience.total_seconds())
            if not asking.done():
                await self._wait_longer(asking, patience, within)
            await asking
        finally:
            if asking is not None:
                asking.cancel()

    async def _wait_longer(
        self, asking: asyncio.Task[None], patience: dt.timedelta, within: dt.timedelta | None
    ) -> None:
        if within is None:
            self.standing.failed(WorldError(f"it has not answered for {patience.total_seconds():g} s; still waiting"))
            return
        await asyncio.wait({asking}, timeout=max(0.0, (within - patience).total_seconds()))
        if not asking.done():
            raise WorldError(
                f"it did not answer within {within.total_seconds():g} s; is the network, or its host, down?"
            )
