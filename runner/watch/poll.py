"""Watches git remotes by asking them, each at its own interval. Deploys nothing and remembers no commit.

Repositories of servers that speak git's protocol 2 over HTTP are asked in the event loop; the others each in a thread, at
most *workers* at once. One that does not answer within *patience* gives its place to others and is waited for all the same,
so it is never asked twice at once.
"""

import asyncio
import datetime as dt
import random as chance
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from runner.errors import UserError
from runner.model.status import RepositoryState
from runner.plan.backoff import Random
from runner.plan.polling import first_wait, next_wait, wait_of_throttled
from runner.ports import Clock, Observe
from runner.watch.calls import Calls
from runner.watch.look import Watched
from runner.watch.polled import Asking, Heard, Polled, Quick
from runner.watch.standing import Standing, Tell, tell_nobody

PATIENCE = dt.timedelta(seconds=20)


Rest: TypeAlias = Callable[[Calls, float], Awaitable[None]]
"""Waits so many seconds, or until somebody calls."""


class Poller:
    """Asks *repositories*, whatever `watch` their configuration names; the caller has chosen them. Implements `Watcher`.

    *quick*: asks in the event loop, where that can be done. *heard*: what webhooks said; where they work, polls are rare.
    """

    def __init__(
        self,
        repositories: Sequence[Watched],
        *,
        clock: Clock,
        random: Random = chance.random,
        rest: Rest = Calls.rest,
        workers: int = 16,
        patience: dt.timedelta = PATIENCE,
        tell: Tell = tell_nobody,
        quick: Quick = lambda config: None,
        heard: Heard = lambda name: None,
    ) -> None:
        self._random, self._rest, self._workers, self._patience = random, rest, workers, patience
        self._polls = {
            config.name: Polled(config, repository, quick(config), Standing(config.name, clock, tell), clock, heard)
            for config, repository in repositories
        }

    def states(self) -> tuple[RepositoryState, ...]:
        """How each repository stands, in the order given."""
        return tuple(poll.standing.state for poll in self._polls.values())

    async def look_now(self, name: str) -> None:
        """Return once a look at that repository which began after the call is recorded. Looks while `run` runs.

        Those who call before a look begins share it. Raises what the look raised (`WorldError`), `UserError` for an
        unknown name.
        """
        if name not in self._polls:
            raise UserError(f'no repository {name!r} is polled; does its configuration say `watch = "poll"`?')
        await self._polls[name].calls.look()

    async def run(self, observe: Observe, called: Observe | None = None) -> None:
        """Poll until cancelled: few repositories at once, many one after the other within their interval; then each at its
        interval, failing ones ever more rarely. *called*: takes instead what looks have seen that somebody called for.
        """
        asking = Asking(observe, called or observe, asyncio.Semaphore(self._workers), self._patience)
        try:
            async with asyncio.TaskGroup() as tasks:
                for index, poll in enumerate(self._polls.values()):
                    first = first_wait(index, len(self._polls), poll.config.interval)
                    tasks.create_task(self._keep_polling(poll, asking, first))
        finally:
            for poll in self._polls.values():
                poll.calls.close()

    async def poll_once(self, observe: Observe, *, within: dt.timedelta = PATIENCE * 3) -> tuple[RepositoryState, ...]:
        """Poll every repository once, concurrently. *within*: how long each may take.

        Returns how each went, in the order given: `last_error` is None when what it has now is recorded. Raises nothing.
        """
        asking = Asking(observe, observe, asyncio.Semaphore(self._workers), self._patience, within)
        await asyncio.gather(*(poll.once(asking) for poll in self._polls.values()))
        return self.states()

    async def _keep_polling(self, poll: Polled, asking: Asking, first: dt.timedelta) -> None:
        if first:
            await self._rest(poll.calls, first.total_seconds())
        while True:
            await poll.once(asking)
            wait = self._wait(poll)
            poll.standing.waits(wait)
            await self._rest(poll.calls, wait.total_seconds())

    def _wait(self, poll: Polled) -> dt.timedelta:
        interval = poll.config.interval
        if poll.throttled is not None:
            return wait_of_throttled(poll.throttled, interval, self._random)
        failures = poll.standing.state.failures
        return next_wait(interval, failures=failures, told=poll.told, random=self._random)
