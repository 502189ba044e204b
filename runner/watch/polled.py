"""One repository that is polled: how it is asked, what was seen, and who waits for it. When to ask is the poller's affair.

It is asked in the event loop where its server allows, else in a thread that is its own while it lasts.
"""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from runner.config import RepositoryConfig
from runner.errors import Throttled, WorldError
from runner.ports import Clock, Observe, Repository
from runner.ports.polling import Answer, QuickRefs
from runner.threads import in_thread
from runner.watch.calls import Calls
from runner.watch.select import selected
from runner.watch.standing import Standing

Quick: TypeAlias = Callable[[RepositoryConfig], QuickRefs | None]
"""None for a repository that cannot be asked in the event loop."""

Heard: TypeAlias = Callable[[str], dt.datetime | None]
"""When a webhook last spoke of the repository of that name; None: never."""


class Asking:
    """What the looks of one poller share. *called*: takes what looks have seen that somebody called for. *slots*: how many
    threads. *patience*: after which a slow one gives its slot away. *within*: how long one look may take; None: as long as
    it likes.
    """

    def __init__(
        self,
        observe: Observe,
        called: Observe,
        slots: asyncio.Semaphore,
        patience: dt.timedelta,
        within: dt.timedelta | None = None,
    ) -> None:
        self.observe, self.called = observe, called
        self.slots, self.patience, self.within = slots, patience, within

    def taker(self, calls: Calls) -> Observe:
        """Who takes what the look sees that is under way."""
        return self.called if calls.is_called_for else self.observe


class Polled:
    """One repository and how it stands. *told*: its webhook spoke before we saw what changed last."""

    def __init__(
        self,
        config: RepositoryConfig,
        repository: Repository,
        quick: QuickRefs | None,
        standing: Standing,
        clock: Clock,
        heard: Heard,
    ) -> None:
        self.config, self.standing, self.calls = config, standing, Calls()
        self.told = False
        self.throttled: dt.timedelta | None = None  # so long does the server want to be left alone
        self._repository, self._quick, self._clock, self._heard = repository, quick, clock, heard
        self._seen: bytes | None = None  # the digest of what was recorded last
        self._began: dt.datetime | None = None
        self._looked: dt.datetime | None = None  # when the look began that was recorded last

    async def once(self, asking: Asking) -> None:
        """Ask once, note how it went, and tell those who called."""
        self.throttled, problem = None, None
        try:
            await self._ask(asking)
        except Exception as error:  # noqa: BLE001 - a bug met with one repository must not blind us to the others
            self.throttled, problem = error.wait if isinstance(error, Throttled) else None, error
            self.standing.failed(error)
        else:
            self.standing.answered()
        self.calls.end(problem)

    async def _ask(self, asking: Asking) -> None:
        if self._quick is not None and await self._ask_quickly(self._quick, asking):
            return
        self._quick = None  # from now on, and for as long as we run
        await self._ask_in_thread(asking)

    async def _ask_quickly(self, quick: QuickRefs, asking: Asking) -> bool:
        self._begin()
        answer = await (quick.ask() if asking.within is None else _within(asking.within, quick.ask()))
        if answer is None:
            return False
        if answer.digest != self._seen:
            take = asking.taker(self.calls)

            def record() -> None:
                take(self.config.name, selected(answer.heads(), self.config))

            async with asking.slots:
                await in_thread(record)
        self._recorded(answer.digest)
        return True

    async def _ask_in_thread(self, asking: Asking) -> None:
        look = None
        try:
            async with asking.slots:
                self._begin()
                look = asyncio.create_task(in_thread(partial(self._look, asking.taker(self.calls))))
                await asyncio.wait({look}, timeout=asking.patience.total_seconds())
            if not look.done():
                await self._wait_longer(look, asking)
            self._recorded(await look)
        finally:
            if look is not None:
                look.cancel()

    def _look(self, observe: Observe) -> bytes:
        heads = selected(self._repository.heads(), self.config)
        observe(self.config.name, heads)
        return _digest(heads)

    async def _wait_longer(self, look: asyncio.Task[bytes], asking: Asking) -> None:
        if asking.within is None:
            patience = f"{asking.patience.total_seconds():g} s"
            self.standing.failed(WorldError(f"it has not answered for {patience}; still waiting"))
            return
        await asyncio.wait({look}, timeout=max(0.0, (asking.within - asking.patience).total_seconds()))
        if not look.done():
            raise _silent(asking.within)

    def _begin(self) -> None:
        self.calls.begin()
        self._began = self._clock()

    def _recorded(self, digest: bytes) -> None:
        """What was there when the look began is recorded, or was before."""
        if self._seen is not None and digest != self._seen:
            heard = self._heard(self.config.name)
            self.told = heard is not None and self._looked is not None and heard >= self._looked
        self._seen, self._looked = digest, self._began


def _digest(heads: Mapping[str, str]) -> bytes:
    lines = "\n".join(f"{ref} {commit_id}" for ref, commit_id in sorted(heads.items()))
    return hashlib.blake2b(lines.encode(errors="surrogateescape"), digest_size=16).digest()


async def _within(limit: dt.timedelta, answer: Awaitable[Answer | None]) -> Answer | None:
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await answer
    except TimeoutError as error:
        raise _silent(limit) from error


def _silent(limit: dt.timedelta) -> WorldError:
    return WorldError(f"it did not answer within {limit.total_seconds():g} s; is the network, or its host, down?")
