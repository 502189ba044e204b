"""Looks that somebody calls for: shared, begun after the call, and ended by what they saw."""

import asyncio
import datetime as dt
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from fakes.heads import HeadsOnly
from waiting import until

from runner.config import RepositoryConfig
from runner.errors import UserError, WorldError
from runner.watch.poll import Poller

BEGIN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MAIN = "refs/heads/main"


class Shop:
    """A repository whose head is *head*. While *gate* is closed its answers, made before, are held back."""

    def __init__(self) -> None:
        self.head = "a" * 40
        self.trouble: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.repository = HeadsOnly("shop", self._answer)
        self.seen: list[str] = []

    def _answer(self) -> dict[str, str]:
        heads, trouble = {MAIN: self.head}, self.trouble
        self.gate.wait(30)
        if trouble:
            raise trouble
        return heads

    def observe(self, repository: str, heads: Mapping[str, str]) -> None:
        self.seen.append(heads[MAIN])

    def poller(self) -> Poller:
        config = RepositoryConfig(name="shop", url="https://example.com/shop.git", interval=HOUR)
        return Poller([(config, self.repository)], clock=lambda: BEGIN)


@asynccontextmanager
async def polling(shop: Shop) -> AsyncIterator[Poller]:
    poller = shop.poller()
    task = asyncio.create_task(poller.run(shop.observe))
    try:
        yield poller
    finally:
        shop.gate.set()
        task.cancel()
        await asyncio.wait({task})


async def test_a_call_while_a_poll_waits_for_its_interval_looks_at_once() -> None:
    shop = Shop()
    async with polling(shop) as poller:
        await until(lambda: shop.seen == ["a" * 40])
        shop.head = "b" * 40
        async with asyncio.timeout(20):
            await poller.look_now("shop")
        assert shop.seen[-1] == "b" * 40


async def test_a_look_that_began_before_the_call_does_not_count() -> None:
    shop = Shop()
    shop.gate.clear()
    async with polling(shop) as poller:
        await until(lambda: shop.repository.asking == 1)
        shop.head = "b" * 40
        call = asyncio.create_task(poller.look_now("shop"))
        await until(lambda: poller._polls["shop"].calls.is_waited_for)
        shop.gate.set()
        async with asyncio.timeout(20):
            await call
        assert shop.seen == ["a" * 40, "b" * 40]


async def test_callers_share_one_look() -> None:
    shop = Shop()
    shop.gate.clear()
    async with polling(shop) as poller:
        await until(lambda: shop.repository.asking == 1)
        calls = [asyncio.create_task(poller.look_now("shop")) for _ in range(50)]
        await until(lambda: poller._polls["shop"].calls.is_waited_for)
        await asyncio.sleep(0)
        shop.gate.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*calls)
        assert shop.repository.asked == 2


async def test_a_caller_is_told_what_went_wrong_and_polling_goes_on() -> None:
    shop = Shop()
    async with polling(shop) as poller:
        await until(lambda: len(shop.seen) == 1)
        shop.trouble = WorldError("the server is in trouble")
        with pytest.raises(WorldError, match="in trouble"):
            await poller.look_now("shop")
        shop.trouble = None
        await poller.look_now("shop")
        assert poller.states()[0].failures == 0


async def test_a_caller_that_gives_up_takes_nothing_from_the_others() -> None:
    shop = Shop()
    async with polling(shop) as poller:
        await until(lambda: len(shop.seen) == 1)
        shop.gate.clear()
        impatient, patient = (asyncio.create_task(poller.look_now("shop")) for _ in range(2))
        await until(lambda: shop.repository.asking == 1)
        impatient.cancel()
        await asyncio.wait({impatient})
        shop.gate.set()
        async with asyncio.timeout(20):
            await patient
        assert impatient.cancelled()


async def test_a_call_before_the_first_look_is_answered_by_it() -> None:
    shop = Shop()
    poller = shop.poller()
    call = asyncio.create_task(poller.look_now("shop"))
    await asyncio.sleep(0)
    task = asyncio.create_task(poller.run(shop.observe))
    async with asyncio.timeout(20):
        await call
    assert shop.repository.asked == 1
    task.cancel()
    await asyncio.wait({task})


async def test_callers_are_not_left_waiting_when_polling_ends() -> None:
    shop = Shop()
    shop.gate.clear()
    async with polling(shop) as poller:
        await until(lambda: shop.repository.asking == 1)
        call = asyncio.create_task(poller.look_now("shop"))
        await until(lambda: poller._polls["shop"].calls.is_waited_for)
    with pytest.raises(WorldError, match="stopped"):
        await call


async def test_an_unknown_name_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="shoe"):
        await Shop().poller().look_now("shoe")


async def test_what_a_called_look_has_seen_is_told_apart_from_polls() -> None:
    shop, by_call = Shop(), list[str]()
    poller = shop.poller()
    task = asyncio.create_task(poller.run(shop.observe, lambda name, heads: by_call.append(heads[MAIN])))
    try:
        await until(lambda: shop.seen == ["a" * 40])
        shop.head = "b" * 40
        async with asyncio.timeout(20):
            await poller.look_now("shop")
        assert (shop.seen, by_call) == (["a" * 40], ["b" * 40])
    finally:
        task.cancel()
        await asyncio.wait({task})
