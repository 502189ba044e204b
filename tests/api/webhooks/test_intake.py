"""Deliveries on their way to the store: together, each told once, also when one of them breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from waiting import until
from webhook_rig import now

from runner.api.webhooks.intake import Intake, Outcome
from runner.errors import WorldError
from runner.model.delivery import Delivery
from runner.store.store import Store


def delivery(name: str) -> Delivery:
    return Delivery(id=name, repository="shop", event="push", body="0" * 64, received_at=now())


@asynccontextmanager
async def running(store: Store) -> AsyncIterator[tuple[Intake, dict[str, int]]]:
    """The intake, and what it told of new deliveries."""
    came: dict[str, int] = {}
    intake = Intake(store.deliveries, came.update, now)
    task = asyncio.create_task(intake.run())
    await asyncio.sleep(0)
    try:
        yield intake, came
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_of_many_is_told_once_and_in_order(store: Store) -> None:
    told: list[tuple[int, Outcome]] = []
    async with running(store) as (intake, came):
        for number in range(100):
            intake.hand(delivery(str(number)), lambda outcome, number=number: told.append((number, outcome)))  # type: ignore[misc]
        assert told == []
        await until(lambda: len(told) == 100)
    assert told == [(number, "New") for number in range(100)]
    assert came == {"shop": 100}


async def test_what_breaks_where_one_is_told_does_not_leave_the_others_waiting(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(_outcome: Outcome) -> None:
        raise RuntimeError("a bug")

    told: list[Outcome] = []
    async with running(store) as (intake, came):
        for name, then in (("1", told.append), ("2", breaks), ("3", told.append)):
            intake.hand(delivery(name), then)
        await until(lambda: len(told) == 2 and bool(came))
    assert told == ["New", "New"]
    assert "a bug" in "".join(capsys.readouterr())


async def test_all_hear_why_nothing_could_be_stored(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    full = WorldError("the disk is full")

    def fails(*_: object) -> None:
        raise full

    monkeypatch.setattr(store.deliveries, "take", fails)
    told: list[Outcome] = []
    async with running(store) as (intake, came):
        for number in range(40):
            intake.hand(delivery(str(number)), told.append)
        await until(lambda: len(told) == 40)
        assert all(each is full for each in told)
        assert came == {}
