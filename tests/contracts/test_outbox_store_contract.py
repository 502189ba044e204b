"""What every store of an outbox promises: the heads of all destinations, and nothing lost."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.outbox_store import NOON, FakeOutboxStore, message
from store_cases import World

from runner.ports import Message, OutboxStore
from runner.store.tables import outbox

OPS, DEV = "webhook:ops", "webhook:dev"
MINUTE = dt.timedelta(minutes=1)


MESSAGES = (message(1, OPS), message(2, OPS), message(3, DEV), message(4, OPS))


@pytest.fixture(params=["fake", "real"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OutboxStore]:
    """Messages 1 and 2 to ops, 3 to dev, 4 to ops."""
    if request.param == "fake":
        yield FakeOutboxStore(*MESSAGES)
        return
    world = World(tmp_path)
    deployment = world.push("1")[0]
    with world.store._db.write() as tx:
        for each in MESSAGES:
            fields = {name: getattr(each, name) for name in each.__struct_fields__}
            tx.execute(outbox.insert().values(deployment_id=deployment, next_attempt_at=each.created_at, **fields))
    yield world.store.outbox
    world.store.close()


def ids(messages: list[Message]) -> list[int]:
    return [each.id for each in messages]


def test_the_heads_are_due_at_once_and_stay_so_until_something_is_recorded(store: OutboxStore) -> None:
    for _ in range(2):
        assert ids(store.due_messages(NOON, 10)) == [1, 3]
    assert ids(store.due_messages(NOON, 1)) == [1]
    assert store.next_message_at() == NOON


def test_a_sent_message_makes_room_for_the_next(store: OutboxStore) -> None:
    store.message_sent(1, NOON)
    assert ids(store.due_messages(NOON, 10)) == [2, 3]
    for number in (2, 3, 4):
        store.message_sent(number, NOON)
    assert store.due_messages(NOON, 10) == []
    assert store.next_message_at() is None


def test_a_failed_message_waits_and_those_behind_it_wait_with_it(store: OutboxStore) -> None:
    store.message_failed(1, "refused", NOON + MINUTE)
    assert ids(store.due_messages(NOON, 10)) == [3]
    store.message_sent(3, NOON)
    assert store.due_messages(NOON, 10) == []
    assert store.next_message_at() == NOON + MINUTE
    assert ids(store.due_messages(NOON + MINUTE, 10)) == [1]


def test_a_message_that_is_given_up_makes_room_for_the_next(store: OutboxStore) -> None:
    store.message_failed(1, "no such topic", None)
    assert ids(store.due_messages(NOON, 10)) == [2, 3]


def test_a_message_comes_out_as_it_went_in(store: OutboxStore) -> None:
    assert store.due_messages(NOON, 1) == [message(1, OPS)]
