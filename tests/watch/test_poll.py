"""When the poller asks whom: intervals, back-off, hanging and broken repositories."""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from fakes.heads import HeadsOnly
from waiting import until

from runner.config import RepositoryConfig
from runner.errors import UserError, WorldError
from runner.model.status import RepositoryState
from runner.plan.polling import LONGEST_WAIT
from runner.watch.calls import Calls
from runner.watch.poll import Poller

BEGIN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HEADS = {"refs/heads/main": "a" * 40}


def config(name: str = "shop", **settings: Any) -> RepositoryConfig:
    return RepositoryConfig(name=name, url=f"https://example.com/{name}.git", **settings)


def ignore(repository: str, heads: Mapping[str, str]) -> None:
    pass


class Enough(Exception):
    """The test has seen what it wanted."""


class SimulatedTime:
    """A clock that stands still, but for sleeping; the sleep after *rounds* of them ends the test."""

    def __init__(self, rounds: int = 1) -> None:
        self.now = BEGIN
        self.waits: list[dt.timedelta] = []
        self._rounds = rounds

    def clock(self) -> dt.datetime:
        return self.now

    async def rest(self, calls: Calls, seconds: float) -> None:
        if len(self.waits) == self._rounds:
            raise Enough
        self.waits.append(dt.timedelta(seconds=seconds))
        self.now += self.waits[-1]


def scripted(*answers: dict[str, str] | Exception) -> HeadsOnly:
    """Gives one answer after the other, the last one for ever."""
    left = list(answers)

    def answer() -> dict[str, str]:
        current = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(current, Exception):
            raise current
        return current

    return HeadsOnly("shop", answer)


async def simulate(poller: Poller, observe: Callable[[str, Mapping[str, str]], None] = ignore) -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await asyncio.wait_for(poller.run(observe), 20)
    assert all(isinstance(error, Enough) for error in ended.value.exceptions)


async def waits(repository: HeadsOnly, rounds: int, random: Callable[[], float] = lambda: 0.5) -> list[dt.timedelta]:
    time = SimulatedTime(rounds)
    poller = Poller([(config(interval=MINUTE), repository)], clock=time.clock, random=random, rest=time.rest)
    await simulate(poller)
    assert repository.asked == rounds + 1
    return time.waits


async def test_a_repository_is_asked_at_its_interval() -> None:
    assert await waits(scripted(HEADS), 3) == [MINUTE] * 3


async def test_intervals_differ_by_up_to_a_tenth() -> None:
    numbers = iter((0.0, 0.25, 0.999999))
    seen = await waits(scripted(HEADS), 3, lambda: next(numbers, 0.5))
    assert seen[:2] == [MINUTE * 0.9, MINUTE * 0.95]
    assert MINUTE * 1.09 < seen[2] <= MINUTE * 1.1


async def test_failures_double_the_wait_up_to_a_quarter_of_an_hour() -> None:
    seen = await waits(scripted(WorldError("down")), 8)
    assert seen == [MINUTE * n for n in (1, 2, 4, 8)] + [LONGEST_WAIT] * 4


async def test_a_success_ends_the_back_off() -> None:
    down = WorldError("down")
    seen = await waits(scripted(down, down, down, HEADS, down, HEADS), 6)
    assert seen == [MINUTE * n for n in (1, 2, 4, 1, 1, 1)]


async def test_the_first_failure_and_the_recovery_are_logged_and_nothing_else() -> None:
    down = WorldError("connection refused")
    with structlog.testing.capture_logs() as logs:
        await waits(scripted(HEADS, down, down, down, HEADS, HEADS), 6)
    assert logs == [
        {
            "event": "repository could not be read",
            "log_level": "warning",
            "repository": "shop",
            "error": "connection refused",
        },
        {"event": "repository answered again", "log_level": "info", "repository": "shop", "failures": 3},
    ]


async def test_states_tell_how_it_goes() -> None:
    time, told = SimulatedTime(2), list[RepositoryState]()
    repository = scripted(HEADS, WorldError("down"))
    poller = Poller(
        [(config(interval=MINUTE), repository)],
        clock=time.clock,
        random=lambda: 0.5,
        rest=time.rest,
        tell=told.append,
    )
    assert poller.states() == (RepositoryState(name="shop"),)
    await simulate(poller)
    (state,) = poller.states()
    expected = RepositoryState(
        name="shop", last_seen_at=BEGIN, failures=2, last_error="down", next_poll_at=BEGIN + MINUTE * 4
    )
    assert state == expected
    assert [each.failures for each in told] == [0, 1, 2]


async def test_an_observation_that_cannot_be_recorded_is_made_again() -> None:
    seen: list[str] = []

    def observe(repository: str, heads: Mapping[str, str]) -> None:
        seen.append(repository)
        if len(seen) == 1:
            raise WorldError("no space left on the disk")

    time = SimulatedTime(1)
    poller = Poller([(config(), scripted(HEADS))], clock=time.clock, rest=time.rest)
    await simulate(poller, observe)
    assert seen == ["shop", "shop"]
    assert poller.states()[0].last_error is None


async def test_a_state_that_cannot_be_recorded_stops_nobody() -> None:
    def tell(state: RepositoryState) -> None:
        raise WorldError("no space left on the disk")

    time = SimulatedTime(2)
    poller = Poller([(config(), scripted(WorldError("down")))], clock=time.clock, rest=time.rest, tell=tell)
    with structlog.testing.capture_logs():
        await simulate(poller)
    assert poller.states()[0].failures == 3


async def test_a_bug_met_with_one_repository_is_logged_whole_and_stops_nobody() -> None:
    time = SimulatedTime(1)
    broken = scripted(ZeroDivisionError("oh"), HEADS)
    poller = Poller([(config(), broken)], clock=time.clock, rest=time.rest)
    with structlog.testing.capture_logs() as logs:
        await simulate(poller)
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
    assert poller.states()[0].failures == 0
    assert broken.asked == 2


@contextmanager
def hanging(name: str) -> Iterator[tuple[HeadsOnly, threading.Event]]:
    """A repository that answers once the event is set, as it is at the end in any case."""
    let_go = threading.Event()

    def answer() -> dict[str, str]:
        let_go.wait(30)
        return HEADS

    try:
        yield HeadsOnly(name, answer), let_go
    finally:
        let_go.set()


async def test_hanging_and_failing_repositories_hold_up_nobody_and_are_asked_once_at_a_time() -> None:
    quick = {"interval": dt.timedelta(milliseconds=5)}
    seen: list[str] = []
    good, bad = HeadsOnly("good", lambda: HEADS), scripted(WorldError("down"))
    with hanging("one") as (one, let_go), hanging("two") as (two, _):
        poller = Poller(
            [(config(each.name, **quick), each) for each in (one, two, bad, good)],
            clock=lambda: BEGIN,
            workers=1,  # fewer than those that hang
            patience=dt.timedelta(milliseconds=20),
        )
        with structlog.testing.capture_logs() as logs:
            running = asyncio.create_task(poller.run(lambda name, heads: seen.append(name)))
            await until(lambda: seen.count("good") >= 10)
            assert (one.asked, two.asked) == (1, 1)
            assert set(seen) == {"good"}
            assert poller.states()[0].last_error == "it has not answered for 0.02 s; still waiting"
            let_go.set()
            await until(lambda: "one" in seen)
            running.cancel()
            await asyncio.wait({running})
    assert good.most_at_once == 1
    assert {each["repository"] for each in logs if each["log_level"] == "warning"} == {"one", "two", "shop"}


async def test_polling_once_asks_each_and_tells_how_each_went() -> None:
    seen: list[str] = []
    good, gone = HeadsOnly("good", lambda: HEADS), HeadsOnly("gone", scripted(WorldError("gone")).answer)
    wrong = HeadsOnly("wrong", scripted(UserError("no such secret")).answer)
    with hanging("slow") as (slow, _), structlog.testing.capture_logs():
        poller = Poller(
            [(config(each.name), each) for each in (gone, slow, good, wrong)],
            clock=lambda: BEGIN,
            workers=2,
            patience=dt.timedelta(milliseconds=10),
        )
        states = await poller.poll_once(lambda name, heads: seen.append(name), within=dt.timedelta(milliseconds=40))
    assert seen == ["good"]
    errors = {state.name: state.last_error for state in states}
    assert errors == {
        "gone": "gone",
        "slow": "it did not answer within 0.04 s; is the network, or its host, down?",
        "good": None,
        "wrong": "no such secret",
    }
    assert [state.last_seen_at for state in states] == [None, None, BEGIN, None]
