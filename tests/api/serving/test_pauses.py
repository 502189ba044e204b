"""Full garbage collections come when they are asked for, and what they would find is still found."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from waiting import until

from runner.api.serving.pauses import keep_short


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def frozen_again() -> Iterator[None]:
    """As tests/conftest.py has it."""
    yield
    gc.freeze()


@pytest.fixture
def full_collections() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:
            seen.append("full")

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


async def test_no_full_collection_runs_however_much_is_made_and_kept(full_collections: list[str]) -> None:
    seldom = asyncio.create_task(keep_short())
    await until(lambda: bool(full_collections))  # the one at the start
    kept = [[number] for number in range(500_000)]
    assert full_collections == ["full"]
    del kept
    seldom.cancel()
    await asyncio.gather(seldom, return_exceptions=True)


async def test_old_circles_are_freed_when_the_time_comes() -> None:
    seldom = asyncio.create_task(keep_short(every=0.05))
    await asyncio.sleep(0)
    circle = Circle()
    gone = weakref.ref(circle)
    gc.collect(1)  # it has grown old
    del circle
    await until(lambda: gone() is None)
    seldom.cancel()
    await asyncio.gather(seldom, return_exceptions=True)


async def test_afterwards_all_is_as_before() -> None:
    before = gc.get_threshold()
    seldom = asyncio.create_task(keep_short())
    await until(lambda: gc.get_threshold() != before)
    seldom.cancel()
    await asyncio.gather(seldom, return_exceptions=True)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
