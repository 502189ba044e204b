"""Webhook deliveries: remembered before they are acknowledged, and closed when their repository was looked at."""

import datetime as dt
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert, insert

from runner.model.delivery import Delivery, DeliveryState, Taken, WebhookState
from runner.model.value import from_json, to_json
from runner.ports.deliveries import Stored
from runner.store.database import Database
from runner.store.tables import deliveries, in_text, last_deliveries
from runner.store.tables import webhooks as taken_webhooks

KEPT = 500_000  # deliveries, of all repositories
AT_ONCE = 2_000  # that are dropped in one transaction
_IN_ONE = 64  # that one statement stores; a power of two

_C, _L, _W = deliveries.c, last_deliveries.c, taken_webhooks.c
_OPEN = _C.settled_at.is_(None)


class StoredDeliveries:
    """Implements port `Deliveries`."""

    def __init__(self, db: Database, kept: int = KEPT) -> None:
        self._db, self._kept = db, kept

    def take(self, given: Sequence[Delivery]) -> Stored:
        first: dict[tuple[str, str], Delivery] = {}
        for each in given:
            first.setdefault((each.repository, each.id), each)
        rows = [_row(each) for each in first.values()]
        with self._db.write_plainly() as tx:
            made, newest = _inserted(tx, rows)
            known = {}
            if made < len(first):
                newest = int(tx.execute(_NEWEST).fetchone()[0])
                known = _there(tx, first, newest - made)
            new = [each for key, each in first.items() if key not in known]
            if new:
                tx.executemany(_update_of_last(), _last_of_each(new))
        return Stored([_taken(each, first, known) for each in given], newest)

    def open(self) -> dict[str, int]:
        query = sa.select(_C.repository, sa.func.max(_C.id)).where(_OPEN).group_by(_C.repository)
        with self._db.read() as tx:
            return {row[0]: row[1] for row in tx.execute(query)}

    def settle(self, repository: str, up_to: int, now: dt.datetime, message: str = "") -> int:
        these = deliveries.update().where(_OPEN, _C.repository == repository, _C.id <= up_to)
        with self._db.write() as tx:
            return tx.execute(these.values(settled_at=now, message=message)).rowcount

    def heard(self) -> dict[str, dt.datetime]:
        query = sa.select(_L.repository, _L.heard_at).where(_L.heard_at.is_not(None))
        with self._db.read() as tx:
            return {row.repository: row.heard_at for row in tx.execute(query)}

    def configured(self, webhooks: Mapping[str, str]) -> None:
        with self._db.write() as tx:
            before = {row.repository: row.problem for row in tx.execute(sa.select(taken_webhooks))}
            changed = [name for name in before.keys() | webhooks.keys() if before.get(name) != webhooks.get(name)]
            if gone := [{"name": name} for name in changed if name in before]:
                tx.execute(taken_webhooks.delete().where(_W.repository == sa.bindparam("name")), gone)
            if made := [{"repository": name, "problem": webhooks[name]} for name in changed if name in webhooks]:
                tx.execute(taken_webhooks.insert(), made)

    def forget(self, before: dt.datetime) -> int:
        with self._db.write() as tx:
            newest = tx.execute(sa.select(sa.func.coalesce(sa.func.max(_C.id), 0))).scalar_one()
            over = sa.or_(_C.received_at < before, _C.id <= newest - self._kept)
            oldest = sa.select(_C.id).where(_C.settled_at.is_not(None), over).order_by(_C.id).limit(AT_ONCE)
            gone = deliveries.delete().where(_C.id.in_(oldest))
            return tx.execute(gone).rowcount


def states(tx: sa.Connection) -> list[DeliveryState]:
    """The last delivery of each repository, by name."""
    counts = sa.select(_C.repository, sa.func.count()).where(_OPEN).group_by(_C.repository)
    waiting = {row[0]: row[1] for row in tx.execute(counts)}
    return [
        DeliveryState(
            repository=row.repository,
            id=row.delivery,
            event=row.event,
            received_at=row.received_at,
            refs=from_json(row.refs, tuple[str, ...]),
            open=waiting.get(row.repository, 0),
        )
        for row in tx.execute(sa.select(last_deliveries).order_by(_L.repository))
    ]


def webhooks(tx: sa.Connection) -> list[WebhookState]:
    """Those that are taken, by name."""
    joined = taken_webhooks.outerjoin(last_deliveries, _W.repository == _L.repository)
    query = sa.select(taken_webhooks, _L.received_at).select_from(joined).order_by(_W.repository)
    return [
        WebhookState(repository=row.repository, problem=row.problem, last_delivery_at=row.received_at)
        for row in tx.execute(query)
    ]


_NEWEST = "SELECT max(id) FROM deliveries"
_BODY = "SELECT body FROM deliveries WHERE repository = ? AND delivery = ? AND id <= ?"
_COLUMNS = ("repository", "delivery", "event", "refs", "body", "received_at", "settled_at", "message")
_LAST = ("repository", "delivery", "event", "refs", "received_at", "heard_at")


def _inserted(tx: sqlite3.Connection, rows: list[tuple[str | None, ...]]) -> tuple[int, int]:
    """How many of *rows* were new, and, if all were, the number of the last.

    A statement takes many: at its beginning and end this thread waits for its turn, which the loop has just then.
    """
    cursor, made, at, size = tx.cursor(), 0, 0, _IN_ONE
    while at < len(rows):
        while size > len(rows) - at:
            size //= 2
        cursor.execute(_insertion(size), list(chain.from_iterable(rows[at : at + size])))
        made, at = made + cursor.rowcount, at + size
    return made, cursor.lastrowid or 0


@cache
def _insertion(rows: int) -> str:
    one = _in_sql(insert(deliveries).on_conflict_do_nothing(), _COLUMNS)
    values = f"({', '.join('?' * len(_COLUMNS))})"
    assert one.count(values) == 1
    return one.replace(values, ", ".join([values] * rows))


@cache
def _update_of_last() -> str:
    made = insert(last_deliveries)
    told = {name: made.excluded[name] for name in ("delivery", "event", "refs", "received_at")}
    heard = sa.func.coalesce(made.excluded.heard_at, _L.heard_at)
    return _in_sql(made.on_conflict_do_update(index_elements=[_L.repository], set_={**told, "heard_at": heard}), _LAST)


def _in_sql(statement: Insert, columns: tuple[str, ...]) -> str:
    """With a question mark for each of *columns*, in their order."""
    compiled = statement.compile(dialect=sqlite.dialect(), column_keys=columns)
    assert tuple(compiled.positiontup or ()) == columns
    return str(compiled)


def _row(each: Delivery) -> tuple[str | None, ...]:
    """As `_COLUMNS` want it."""
    at, refs = in_text(each.received_at), to_json(each.refs)
    settled, message = (None, "") if each.looks else (at, "nothing to look for")
    return each.repository, each.id, each.event, refs, each.body, at, settled, message


def _last_of_each(new: list[Delivery]) -> list[tuple[str | None, ...]]:
    """As `_LAST` wants it."""
    last, heard = {each.repository: each for each in new}, {each.repository: each for each in new if each.looks}
    return [
        (
            name,
            each.id,
            each.event,
            to_json(each.refs),
            in_text(each.received_at),
            in_text(heard[name].received_at) if name in heard else None,
        )
        for name, each in last.items()
    ]


def _there(tx: sqlite3.Connection, first: dict[tuple[str, str], Delivery], before: int) -> dict[tuple[str, str], str]:
    """Those that were there already, up to number *before*, each with the hash of its body."""
    found = {}
    for key in first:
        if (row := tx.execute(_BODY, (*key, before)).fetchone()) is not None:
            found[key] = str(row[0])
    return found


def _taken(each: Delivery, first: dict[tuple[str, str], Delivery], known: dict[tuple[str, str], str]) -> Taken:
    key = each.repository, each.id
    if key in known:
        return "Known" if known[key] == each.body else "Conflict"
    if first[key] is each:
        return "New"
    return "Known" if first[key].body == each.body else "Conflict"
