"""Deliveries in the database: durable, once, bounded."""

import datetime as dt
import sqlite3
from pathlib import Path

import pytest
from store_cases import PIPELINE, T0, World, begin_with_tables

from runner.errors import WorldError
from runner.model.delivery import Delivery, DeliveryState
from runner.store.database import Database
from runner.store.deliveries import StoredDeliveries
from runner.store.store import Store


def delivery(
    name: str, *, repository: str = "shop", body: str = "b" * 64, looks: bool = True, days: int = 0
) -> Delivery:
    at = T0 + dt.timedelta(days=days)
    return Delivery(id=name, repository=repository, event="push", body=body, received_at=at, looks=looks)


@pytest.fixture
def kept(world: World) -> StoredDeliveries:
    return world.store.deliveries


def test_each_is_taken_once_also_among_those_that_come_together(kept: StoredDeliveries) -> None:
    assert kept.take([delivery("1"), delivery("2")]).taken == ["New", "New"]
    together = [delivery("2"), delivery("3"), delivery("3"), delivery("3", body="c" * 64), delivery("1", body="c" * 64)]
    assert kept.take(together).taken == ["Known", "New", "Known", "Conflict", "Conflict"]
    assert kept.take([delivery("3")]).newest == 3


def test_what_fails_half_way_leaves_nothing_and_holds_up_nothing(
    kept: StoredDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.deliveries._update_of_last", lambda: "no SQL")
    with pytest.raises(WorldError, match="syntax error"):
        kept.take([delivery("1")])
    monkeypatch.undo()
    assert not kept.open()
    kept.configured({"shop": ""})
    assert kept.take([delivery("1")]).taken == ["New"]


def test_many_at_once_are_numbered_in_their_order_whatever_was_there_before(tmp_path: Path) -> None:
    begin_with_tables(tmp_path)
    database = Database(tmp_path)
    kept = StoredDeliveries(database)
    kept.take([delivery(str(number)) for number in (5, 70, 150)])
    stored = kept.take([delivery(str(number % 200)) for number in range(203)])
    assert [at for at, taken in enumerate(stored.taken) if taken != "New"] == [5, 70, 150, 200, 201, 202]
    assert (set(stored.taken), stored.newest) == ({"New", "Known"}, 200)
    with database.read() as tx:
        names = [row[0] for row in tx.exec_driver_sql("SELECT delivery FROM deliveries ORDER BY id")]
    database.close()
    assert names == ["5", "70", "150", *(str(number) for number in range(200) if number not in (5, 70, 150))]


def test_settling_goes_up_to_a_number_and_stays_within_a_repository(kept: StoredDeliveries) -> None:
    first = kept.take([delivery("1"), delivery("2"), delivery("1", repository="web")])
    kept.take([delivery("3"), delivery("ping", looks=False)])
    assert kept.open() == {"shop": 4, "web": 3}
    assert kept.settle("shop", first.newest, T0) == 2
    assert kept.settle("shop", first.newest, T0) == 0
    assert kept.open() == {"shop": 4, "web": 3}
    assert kept.settle("shop", 4, T0) == 1
    assert kept.open() == {"web": 3}


def test_the_last_delivery_of_each_repository_is_told(world: World, kept: StoredDeliveries) -> None:
    kept.take([delivery("1"), delivery("2", days=1)])
    kept.take([delivery("ping", looks=False, days=2)])
    state = DeliveryState(repository="shop", id="ping", event="push", received_at=T0 + dt.timedelta(days=2), open=2)
    assert world.store.state().deliveries == (state,)
    assert kept.heard() == {"shop": T0 + dt.timedelta(days=1)}


def test_old_ones_are_forgotten_and_open_ones_never(kept: StoredDeliveries) -> None:
    kept.take([delivery("open"), delivery("old", looks=False), delivery("young", looks=False, days=40)])
    assert kept.forget(T0 + dt.timedelta(days=30)) == 1
    assert kept.take([delivery("old", looks=False)]).taken == ["New"]
    assert kept.take([delivery("open"), delivery("young", days=40)]).taken == ["Known", "Known"]


def test_there_are_never_more_than_so_many(tmp_path: Path) -> None:
    begin_with_tables(tmp_path)
    database = Database(tmp_path)
    kept = StoredDeliveries(database, kept=10)
    kept.take([delivery(str(number), looks=False) for number in range(30)])
    assert kept.forget(T0) == 20
    assert kept.take([delivery("29"), delivery("19")]).taken == ["Known", "New"]
    database.close()


def test_a_state_folder_from_before_webhooks_is_brought_up_to_date(tmp_path: Path) -> None:
    Store(tmp_path, PIPELINE).close()
    with sqlite3.connect(tmp_path / "penstock.db") as connection:
        connection.execute("DROP TABLE deliveries")
        connection.execute("DROP TABLE last_deliveries")
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    connection.close()
    store = Store(tmp_path, PIPELINE)
    assert store.deliveries.take([delivery("1")]).taken == ["New"]
    store.close()
