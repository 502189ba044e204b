"""How messages leave the outbox: in order, at least once, with patience, and without waiting for each other.

Time is simulated: `flush` delivers what is due, and the clock then jumps to when the next message is.
"""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
import structlog
from fakes.notifier import FakeNotifier
from fakes.outbox_store import NOON, FakeOutboxStore, message
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from runner.errors import UserError, WorldError
from runner.notify.outbox import FIRST_RETRY, GIVE_UP_AFTER, LONGEST_WAIT, Outbox
from runner.ports import Message

OPS, DEV = "webhook:ops", "webhook:dev"
DOWN = WorldError("connection refused")
SECOND = dt.timedelta(seconds=1)


class World:
    """An outbox, what it stands on, and a clock."""

    def __init__(self, *messages: Message, workers: int = 8) -> None:
        self.now = NOON
        self.store = FakeOutboxStore(*messages)
        self.notifier = FakeNotifier()
        self.workers = workers
        self.sleeps: list[float] = []
        self.restart()

    def restart(self) -> None:
        """As after the death of the process: only the store is left."""
        self.outbox = Outbox(
            self.store,
            self.notifier,
            clock=lambda: self.now,
            random=lambda: 0.5,
            sleep=self.sleep,
            workers=self.workers,
        )

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if seconds > 2:
            await asyncio.Event().wait()  # long waits end by being woken
        self.now += dt.timedelta(seconds=seconds)
        await asyncio.sleep(0.001)

    async def deliver_everything(self) -> None:
        for _ in range(100_000):
            await self.outbox.flush()
            due = self.store.next_message_at()
            if due is None:
                return
            self.now = max(self.now + dt.timedelta(milliseconds=1), due)
        raise AssertionError("no end of retries")


async def test_messages_leave_in_order_and_once() -> None:
    world = World(*(message(number, OPS if number % 3 else DEV) for number in range(1, 31)))
    await world.outbox.flush()
    assert sorted(world.notifier.ids()) == list(range(1, 31))
    assert world.notifier.ids(OPS) == [number for number in range(1, 31) if number % 3]
    assert world.notifier.ids(DEV) == [number for number in range(1, 31) if not number % 3]
    assert sorted(world.store.sent) == list(range(1, 31))


async def test_failures_are_tried_again_ever_more_rarely() -> None:
    world = World(message(1))
    world.notifier.fail(OPS, DOWN, times=12)
    with structlog.testing.capture_logs() as logs:
        await world.deliver_everything()
    tried = [NOON, *(at for _, at in world.store.retries)]
    waits = [later - earlier for earlier, later in pairwise(tried)]
    assert waits == [SECOND * 2**n for n in range(10)] + [LONGEST_WAIT] * 2
    assert world.notifier.ids() == [1]
    (told,) = logs  # once, not twelve times
    assert (told["event"], told["error"], told["to"], told["message"]) == (
        "notification could not be delivered; it will be tried again",
        "connection refused",
        OPS,
        1,
    )


async def test_a_message_is_given_up_after_a_day_and_kept_with_its_error() -> None:
    world = World(message(1), message(2, created_at=NOON + GIVE_UP_AFTER / 2))
    world.notifier.fail(OPS, DOWN, times=1000)
    with structlog.testing.capture_logs() as logs:
        while 1 not in world.store.given_up:
            await world.outbox.flush()
            world.now = max(world.store.next_message_at() or NOON, world.now)
    assert world.store.given_up == {1: "connection refused"}
    assert GIVE_UP_AFTER <= world.now - NOON < GIVE_UP_AFTER + LONGEST_WAIT * 2
    assert 90 < len(world.store.retries) < 130
    assert [each["event"] for each in logs].count("notification given up") == 1
    world.notifier.failing.clear()
    await world.deliver_everything()
    assert world.notifier.ids() == [2]  # its own day is not over


@pytest.mark.parametrize("error", [WorldError("404", retryable=False), UserError("no such topic")])
async def test_what_can_never_work_is_given_up_at_once(error: Exception) -> None:
    world = World(message(1), message(2))
    world.notifier.fail(OPS, error)
    with structlog.testing.capture_logs() as logs:
        await world.outbox.flush()
    assert world.store.given_up == {1: str(error)}
    assert world.notifier.ids() == [2]
    assert [each["event"] for each in logs] == ["notification given up"]


async def test_a_bug_in_a_notifier_silences_nobody_and_is_logged_whole() -> None:
    world = World(message(1), message(2, DEV))
    world.notifier.fail(OPS, ZeroDivisionError("oh"))
    with structlog.testing.capture_logs() as logs:
        await world.deliver_everything()
    assert sorted(world.notifier.ids()) == [1, 2]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


async def test_a_failing_destination_holds_up_its_own_messages_and_no_others() -> None:
    world = World(message(1), message(2), message(3, DEV))
    world.notifier.fail(OPS, DOWN, times=3)
    with structlog.testing.capture_logs():
        await world.outbox.flush()
        assert world.notifier.ids() == [3]
        await world.deliver_everything()
    assert world.notifier.ids() == [3, 1, 2]
    assert world.now - NOON >= SECOND * 7


async def test_a_hanging_destination_holds_up_no_others() -> None:
    world = World(*(message(number) for number in range(1, 30)), workers=2)
    world.notifier.hold[OPS] = threading.Event()
    running = asyncio.create_task(world.outbox.run())
    try:
        for number in range(100, 110):
            world.store.add(message(number, f"webhook:{number}"))
            world.outbox.wake()
        await until(lambda: len(world.notifier.sent) == 10)
        assert world.notifier.ids(OPS) == []
    finally:
        world.notifier.hold[OPS].set()
        running.cancel()
        await asyncio.wait({running})


async def test_no_more_destinations_are_served_at_once_than_there_are_workers() -> None:
    class Counting(FakeNotifier):
        now = most = 0

        def send(self, message: Message) -> None:
            with self._lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.002)
            super().send(message)
            with self._lock:
                self.now -= 1

    world = World(*(message(number, f"webhook:{number}") for number in range(20)), workers=3)
    world.notifier = counting = Counting()
    world.restart()
    await world.outbox.flush()
    assert len(counting.sent) == 20
    assert counting.most == 3


async def test_one_destination_is_never_served_twice_at_once_whatever_the_store_gives() -> None:
    class Generous(FakeOutboxStore):
        def _heads(self) -> list[int]:
            return sorted(self.due)

    world = World()
    world.store = Generous(*(message(number) for number in range(1, 20)))
    world.restart()
    await world.outbox.flush()
    assert world.notifier.ids() == list(range(1, 20))


async def test_what_ends_while_the_store_is_read_is_not_sent_again() -> None:
    class Slow(FakeOutboxStore):
        """The second read is still under way when the delivery that it still shows as due has long ended."""

        def due_messages(self, now: dt.datetime, limit: int) -> list[Message]:
            due = super().due_messages(now, limit)
            if self.reads == 2:
                world.notifier.hold[OPS].set()
                while world.outbox._in_flight:
                    time.sleep(0.001)
            return due

    world = World()
    world.store = Slow(message(1))
    world.notifier.hold[OPS] = threading.Event()
    world.restart()
    running = asyncio.create_task(world.outbox.run())
    await until(lambda: world.store.reads > 2)
    running.cancel()
    await asyncio.wait({running})
    assert world.notifier.ids() == [1]


async def test_news_is_delivered_when_somebody_wakes_it_from_another_thread() -> None:
    world = World()
    world.outbox.wake()  # too early: harmless
    running = asyncio.create_task(world.outbox.run())
    await until(lambda: world.sleeps == [30.0])  # nothing to do; another process might write
    for number in (1, 2, 3):
        world.store.add(message(number))
        await asyncio.to_thread(world.outbox.wake)
        await until(lambda: len(world.store.sent) == number)  # noqa: B023 - called at once
    running.cancel()
    await asyncio.wait({running})
    world.outbox.wake()  # too late: harmless
    assert world.notifier.ids() == [1, 2, 3]


async def test_a_running_outbox_sleeps_until_the_next_attempt_is_due() -> None:
    world = World(message(1))
    world.notifier.fail(OPS, DOWN, times=2)
    with structlog.testing.capture_logs():
        running = asyncio.create_task(world.outbox.run())
        await until(lambda: 1 in world.store.sent)
        running.cancel()
        await asyncio.wait({running})
    assert [number for number, _ in world.store.retries] == [1, 1]
    assert world.store.sent[1] >= world.store.retries[-1][1]
    assert world.store.reads < 20  # it does not spin


async def test_when_it_is_stopped_what_is_in_flight_still_ends_and_is_recorded() -> None:
    world = World(message(1), message(2))
    world.notifier.hold[OPS] = threading.Event()
    running = asyncio.create_task(world.outbox.run())
    await until(lambda: world.store.reads > 0)
    await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.sleep(0.01)
    assert not running.done()
    world.notifier.hold[OPS].set()
    await asyncio.wait({running}, timeout=20)
    assert running.cancelled()
    assert list(world.store.sent) == [1]  # and no further one was begun


async def test_a_delivery_that_cannot_be_recorded_is_repeated_but_not_at_once() -> None:
    world = World(message(1))
    world.store.broken = WorldError("no space left on the disk")
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            await world.outbox.flush()
        assert world.notifier.ids() == [1]  # the clock stands still
        world.now += SECOND
        await world.outbox.flush()
        assert world.notifier.ids() == [1, 1]
        world.now += SECOND
        await world.outbox.flush()
        assert world.notifier.ids() == [1, 1]  # now it waits for two
        world.store.broken = None
        world.now += SECOND
        await world.outbox.flush()
    assert world.notifier.ids() == [1, 1, 1]
    assert list(world.store.sent) == [1]
    assert [each["event"] for each in logs] == ["outbox cannot use its store"]


@pytest.mark.parametrize("error", [WorldError("the database is locked"), ZeroDivisionError("oh")])
async def test_a_store_that_cannot_be_read_is_asked_again(error: Exception) -> None:
    class Unreadable(FakeOutboxStore):
        errors = 3

        def due_messages(self, now: dt.datetime, limit: int) -> list[Message]:
            if self.errors:
                self.errors -= 1
                raise error
            return super().due_messages(now, limit)

    world = World()
    world.store = Unreadable(message(1))
    world.restart()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await world.outbox.flush()
            world.now += SECOND * 5
        await world.outbox.flush()
    assert world.notifier.ids() == [1]
    assert len(logs) == (1 if isinstance(error, WorldError) else 3)


class Killed(BaseException):
    """The process is no more."""


class Mortal(FakeOutboxStore):
    """A store before each of whose writes the process may die, and after each of whose reads."""

    def __init__(self, *messages: Message) -> None:
        super().__init__(*messages)
        self.dies_at: set[int] = set()
        self.calls = 0

    def _write(self) -> None:
        self.calls += 1
        if self.calls in self.dies_at:
            raise Killed


async def survive(world: World) -> None:
    """Deliver everything, restarting whenever the process dies."""
    while True:
        try:
            await world.deliver_everything()
            return
        except Killed:
            world.restart()


@settings(max_examples=60, deadline=None)
@given(
    destinations=st.lists(st.sampled_from((OPS, DEV, "webhook:qa")), min_size=1, max_size=12),
    failures=st.dictionaries(st.sampled_from((OPS, DEV)), st.integers(min_value=1, max_value=4)),
    deaths=st.sets(st.integers(min_value=1, max_value=15), max_size=6),
)
def test_whenever_the_process_dies_every_message_arrives_in_order_and_at_least_once(
    destinations: list[str], failures: dict[str, int], deaths: set[int]
) -> None:
    messages = [message(number, to) for number, to in enumerate(destinations, start=1)]

    async def scenario() -> World:
        world = World()
        world.store = mortal = Mortal(*messages)
        mortal.dies_at = deaths
        world.restart()
        for to, times in failures.items():
            world.notifier.fail(to, DOWN, times)
        await survive(world)
        return world

    with structlog.testing.capture_logs():
        world = asyncio.run(scenario())
    assert sorted(world.store.sent) == [each.id for each in messages]
    assert world.store.given_up == {}
    for to in set(destinations):
        first_arrivals = list(dict.fromkeys(world.notifier.ids(to)))
        assert first_arrivals == [each.id for each in messages if each.to == to]
    repetitions = len(world.notifier.sent) - len(messages)
    assert repetitions <= len(deaths)  # a death repeats at most what it left unrecorded


@settings(max_examples=60, deadline=None)
@given(fractions=st.lists(st.floats(min_value=0, max_value=1, exclude_max=True), min_size=1, max_size=30))
def test_no_wait_between_attempts_leaves_its_bounds(fractions: list[float]) -> None:
    numbers: Callable[[], float] = iter(fractions).__next__

    async def scenario() -> World:
        world = World(message(1))
        world.notifier.fail(OPS, DOWN, times=len(fractions))
        world.outbox = Outbox(world.store, world.notifier, clock=lambda: world.now, random=numbers)
        await world.deliver_everything()
        return world

    with structlog.testing.capture_logs():
        world = asyncio.run(scenario())
    at = NOON
    for count, (_, retry_at) in enumerate(world.store.retries):
        exact = min(FIRST_RETRY * 2**count, LONGEST_WAIT)
        assert exact * 0.899 <= retry_at - at <= exact * 1.101 + dt.timedelta(milliseconds=1)
        at = retry_at
