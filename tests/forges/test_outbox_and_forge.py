"""The outbox and a forge that is in trouble for an hour: everything arrives in the end, in order, and nobody is pressed."""

import asyncio
import datetime as dt

import msgspec
from fakes.outbox_store import FakeOutboxStore
from forge_cases import config, message, now
from forge_stub import PRIMARY_LIMIT, Fault, Forge

from runner.forges import Forges
from runner.notify.outbox import Outbox

STATES = ("Running", "Waiting", "Succeeded")


class Clock:
    def __init__(self) -> None:
        self.begin = self.at = now()

    def __call__(self) -> dt.datetime:
        return self.at


def three(clock: Clock) -> FakeOutboxStore:
    made = [message(state=state) for state in STATES]
    return FakeOutboxStore(
        *(msgspec.structs.replace(each, id=number, created_at=clock.begin) for number, each in enumerate(made, 1))
    )


def deliver(
    forge: Forge, store: FakeOutboxStore, clock: Clock, trouble: Fault, lasts: dt.timedelta
) -> list[dt.timedelta]:
    """Flush whenever something is due, while GitHub answers with *trouble* for so long. When it was asked."""
    outbox, asked = Outbox(store, Forges(config(forge), clock), clock=clock, random=lambda: 0.5), list[dt.timedelta]()
    while (due := store.next_message_at()) is not None:
        clock.at = max(clock.at, due)
        before = len(forge.exchanges)
        forge.answers[:] = [trouble] * 9 if clock.at - clock.begin < lasts else []
        asyncio.run(outbox.flush())
        asked += [clock.at - clock.begin] * (len(forge.exchanges) > before)
    return asked


def test_an_hour_of_500_delays_reports_and_loses_none(forge: Forge) -> None:
    clock = Clock()
    store = three(clock)
    asked = deliver(forge, store, clock, Fault(500), dt.timedelta(hours=1))
    assert [each["state"] for each in forge.github.statuses] == ["pending", "pending", "success"]
    assert len(store.sent) == 3
    assert 5 < len(asked) < 25  # less and less often
    assert dt.timedelta(hours=1) <= asked[-1] < dt.timedelta(hours=1, minutes=16)


def test_a_limit_of_an_hour_is_waited_out_without_a_further_request(forge: Forge) -> None:
    clock = Clock()
    store = three(clock)
    asked = deliver(forge, store, clock, PRIMARY_LIMIT, dt.timedelta(seconds=1))
    assert [each["state"] for each in forge.github.statuses] == ["pending", "pending", "success"]
    assert asked == [dt.timedelta(), dt.timedelta(hours=1)]


def test_a_forge_that_refuses_for_a_day_is_given_up(forge: Forge) -> None:
    clock = Clock()
    store = three(clock)
    deliver(forge, store, clock, Fault(401, {}, {"message": "Bad credentials"}), dt.timedelta(days=3))
    assert len(store.given_up) == 3
    assert all("expired or revoked" in each for each in store.given_up.values())
    assert dt.timedelta(hours=24) <= clock.at - clock.begin < dt.timedelta(hours=25)
