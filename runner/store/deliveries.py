"""Webhook deliveries: remembered before they are acknowledged, and closed when their repository was looked at."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from runner.model.delivery import Delivery, DeliveryState, Taken, WebhookState
from runner.model.value import from_json, to_json
from runner.ports.deliveries import Stored
from runner.store.database import Database
from runner.store.tables import deliveries, in_text, last_deliveries
from runner.store.tables import webhooks as taken_webhooks

KEPT = 500_000  # deliveries, of all repositories
AT_ONCE = 2_000  # that are dropped in one transaction

_C, _L, _W = deliveries.c, last_deliveries.c, taken_webhooks.c
_OPEN = _C.settled_at.is_(None)
_INSERT = insert(deliveries).on_conflict_do_nothing()
_UPSERT = insert(last_deliveries)
_UPSERT = _UPSERT.on_conflict_do_update(
    index_elements=[_L.repository],
    set_={name: _UPSERT.excluded[name] for name in ("delivery", "event", "refs", "received_at")}
    | {"heard_at": sa.func.coalesce(_UPSERT.excluded.heard_at, _L.heard_at)},
)


class StoredDeliveries:
    """Implements port `Deliveries`."""

    def __init__(self, db: Database, kept: int = KEPT) -> None:
        self._db, self._kept = db, kept

    def take(self, given: Sequence[Delivery]) -> Stored:
        first: dict[tuple[str, str], Delivery] = {}
        for each in given:
            first.setdefault((each.repository, each.id), each)
        with self._db.write() as tx:
            # Past SQLAlchemy's own handling of each row, which costs as much as the insertion.
            made = tx.exec_driver_sql(_insert_in(tx.dialect), [_row(each) for each in first.values()]).rowcount
            newest = tx.execute(sa.select(sa.func.max(_C.id))).scalar_one()
            known = {} if made == len(first) else _there(tx, first, newest - made)
            new = [each for key, each in first.items() if key not in known]
            if new:
                tx.execute(_UPSERT, _last_of_each(new))
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


_COLUMNS = ("repository", "delivery", "event", "refs", "body", "received_at", "settled_at", "message")


@cache
def _insert_in(dialect: sa.Dialect) -> str:
    compiled = _INSERT.compile(dialect=dialect, column_keys=_COLUMNS)
    assert tuple(compiled.positiontup or ()) == _COLUMNS
    return str(compiled)


def _row(each: Delivery) -> tuple[str | None, ...]:
    """As `_COLUMNS` want it."""
    at, refs = in_text(each.received_at), to_json(each.refs)
    settled, message = (None, "") if each.looks else (at, "nothing to look for")
    return each.repository, each.id, each.event, refs, each.body, at, settled, message


def _last_of_each(new: list[Delivery]) -> list[dict[str, object]]:
    last, heard = {each.repository: each for each in new}, {each.repository: each for each in new if each.looks}
    return [
        {
            "repository": name,
            "delivery": each.id,
            "event": each.event,
            "refs": to_json(each.refs),
            "received_at": each.received_at,
            "heard_at": heard[name].received_at if name in heard else None,
        }
        for name, each in last.items()
    ]


def _there(tx: sa.Connection, first: dict[tuple[str, str], Delivery], before: int) -> dict[tuple[str, str], str]:
    """Those that were there already, up to number *before*, each with the hash of its body."""
    found = {}
    for key in first:
        same = (_C.repository == key[0], _C.delivery == key[1], _C.id <= before)
        if (body := tx.execute(sa.select(_C.body).where(*same)).scalar()) is not None:
            found[key] = body
    return found


def _taken(each: Delivery, first: dict[tuple[str, str], Delivery], known: dict[tuple[str, str], str]) -> Taken:
    key = each.repository, each.id
    if key in known:
        return "Known" if known[key] == each.body else "Conflict"
    if first[key] is each:
        return "New"
    return "Known" if first[key].body == each.body else "Conflict"
