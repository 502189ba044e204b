"""Watches repositories on this machine by the events of their file system: a commit is seen at once. Deploys nothing.

Events only say when to look; what is there is asked of the repository itself, so an event too many is harmless. In case of
an event too few (a queue that overflowed, a folder that was replaced) it also looks every half minute.
"""

import asyncio
import datetime as dt
import random as chance
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from runner.config import RepositoryConfig
from runner.model.status import RepositoryState
from runner.plan.backoff import Random, backoff
from runner.ports import Clock, Observe, Repository
from runner.threads import in_thread
from runner.watch.folder import Folder, inotify
from runner.watch.look import Watched, look
from runner.watch.standing import Standing, Tell, tell_nobody

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

QUIET = 0.005  # seconds without a further event after which a push counts as finished
LONGEST_UNREST = 0.05  # seconds after which we look though events go on
SAFETY = dt.timedelta(seconds=30)
FIRST_RETRY = dt.timedelta(seconds=1)


class FileWatcher:
    """Watches local *repositories*. *safety*: how often to look without being told to. Implements `Watcher`."""

    def __init__(
        self,
        repositories: Sequence[Watched],
        *,
        clock: Clock,
        random: Random = chance.random,
        safety: dt.timedelta = SAFETY,
        first_retry: dt.timedelta = FIRST_RETRY,
        new_observer: "Callable[[], BaseObserver]" = inotify,
        tell: Tell = tell_nobody,
    ) -> None:
        self._watches = [
            _Watch(config, repository, Standing(config.name, clock, tell), random, safety, first_retry, new_observer)
            for config, repository in repositories
        ]

    def states(self) -> tuple[RepositoryState, ...]:
        """How each repository stands, in the order given."""
        return tuple(watch.standing.state for watch in self._watches)

    async def run(self, observe: Observe) -> None:
        """Watch until cancelled: look once at each, then whenever its refs may have moved."""
        async with asyncio.TaskGroup() as tasks:
            for watch in self._watches:
                tasks.create_task(watch.run(observe))


class _Watch:
    """One repository, its folder's events and how it stands."""

    def __init__(
        self,
        config: RepositoryConfig,
        repository: Repository,
        standing: Standing,
        random: Random,
        safety: dt.timedelta,
        first_retry: dt.timedelta,
        new_observer: "Callable[[], BaseObserver]",
    ) -> None:
        self.standing = standing
        self._config = config
        self._repository = repository
        self._random = random
        self._safety = safety
        self._first_retry = first_retry
        self._new_observer = new_observer

    async def run(self, observe: Observe) -> None:
        moved = asyncio.Event()
        folder = Folder(self._config.name, self._config.url, _from_any_thread(moved), self._new_observer)
        try:
            while True:
                await self._look(folder, observe)
                wait = self._wait()
                self.standing.waits(wait)
                await _told(moved, wait)
        finally:
            folder.detach()

    async def _look(self, folder: Folder, observe: Observe) -> None:
        def attach_and_look() -> None:
            folder.attach()  # first, so that nothing moves unseen between looking and listening
            look(self._config, self._repository, observe)

        try:
            await in_thread(attach_and_look)
        except Exception as error:  # noqa: BLE001 - a bug met with one repository must not blind us to the others
            self.standing.failed(error)
        else:
            self.standing.answered()

    def _wait(self) -> dt.timedelta:
        failures = self.standing.state.failures
        if failures:
            return backoff(failures, first=self._first_retry, most=self._safety, random=self._random)
        return self._safety


def _from_any_thread(moved: asyncio.Event) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    def call() -> None:
        try:
            loop.call_soon_threadsafe(moved.set)
        except RuntimeError:
            pass  # the loop is closed: nobody watches any more

    return call


async def _told(moved: asyncio.Event, wait: dt.timedelta) -> None:
    """Return when *moved* is set and events have come to rest, or after *wait*."""
    if not await _is_set_within(moved, wait.total_seconds()):
        return
    loop = asyncio.get_running_loop()
    latest = loop.time() + LONGEST_UNREST
    while loop.time() < latest:
        moved.clear()
        if not await _is_set_within(moved, QUIET):
            return
    moved.clear()  # whatever comes from now on comes after the look has begun, or before: then it is seen


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
