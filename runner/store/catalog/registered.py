"""Registered revisions: each a row under what tells it from others, listed in any of three orders."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from runner.model.application import RegisteredRevision
from runner.model.revision import Revision
from runner.plan.revisions import identity
from runner.ports.catalog import RevisionFilter, RevisionPage
from runner.store import reading
from runner.store import tables as t
from runner.store.catalog import using
from runner.store.database import Database

_c = t.revisions.c


class Revisions:
    """Implements the port."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def register(self, application: str, revision: Revision, description: str | None, now: dt.datetime) -> None:
        where = using.same(application, revision)
        with self._db.write() as tx:
            if tx.execute(sa.select(_c.id).where(where)).first() is None:
                using.register(tx, application, revision, description or "", now)
            elif description is not None:
                tx.execute(t.revisions.update().where(where).values(description=description))

    def use(self, application: str, revision: Revision, now: dt.datetime) -> Revision:
        with self._db.write() as tx:
            return using.use(tx, application, revision, now)

    def get(self, application: str, revision: Revision) -> RegisteredRevision | None:
        with self._db.read() as tx:
            row = tx.execute(sa.select(t.revisions).where(using.same(application, revision))).first()
            return None if row is None else _registered(row, _targets(tx, application))

    def page(
        self, application: str, which: RevisionFilter, after: Sequence[str | int] | None, limit: int
    ) -> RevisionPage:
        order = _order(which)
        query = sa.select(_c.revision, _c.id, order.label("position")).where(_c.application == application)
        direction = sa.desc if which.descending else sa.asc
        with self._db.read() as tx:
            query = query.where(*_conditions(tx, application, which), *_behind(order, which, after))
            rows = tx.execute(query.order_by(direction(order), direction(_c.id)).limit(limit + 1)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return RevisionPage(
            revisions=[each for row in rows[:limit] if (each := reading.revision(row.revision))],
            after=(last.position, last.id) if last else None,
        )


def _order(which: RevisionFilter) -> sa.ColumnElement[str]:
    """What is sorted by, as text that is never NULL: times that are not there come before all others."""
    if which.sort is None:
        return sa.literal("", sa.String)
    return sa.func.coalesce(sa.type_coerce(_c[which.sort], sa.String), "")


def _behind(
    order: sa.ColumnElement[str], which: RevisionFilter, after: Sequence[str | int] | None
) -> Iterator[sa.ColumnElement[bool]]:
    if after is not None:
        value, number = after
        further = sa.or_(order < value, sa.and_(order == value, _c.id < number))
        if not which.descending:
            further = sa.or_(order > value, sa.and_(order == value, _c.id > number))
        yield further


def _conditions(tx: sa.Connection, application: str, which: RevisionFilter) -> Iterator[sa.ColumnElement[bool]]:
    revision = sa.type_coerce(_c.revision, sa.JSON)
    if which.bucket is not None:
        yield revision["bucket"].as_string() == which.bucket
        yield sa.func.substr(revision["key"].as_string(), 1, len(which.key_prefix)) == which.key_prefix
    if which.targeted is not None:
        among = _c.identity.in_(list(_targets(tx, application)))
        yield among if which.targeted else sa.not_(among)


def _targets(tx: sa.Connection, application: str) -> dict[str, list[str]]:
    """By identity, the names of the groups whose target a revision is."""
    g = t.groups.c
    query = sa.select(g.name, g.target_revision).where(g.application == application, g.deleted_at.is_(None))
    found: dict[str, list[str]] = {}
    for row in tx.execute(query.where(g.target_revision.is_not(None)).order_by(g.name)):
        target = reading.revision(row.target_revision)
        assert target is not None
        found.setdefault(identity(target), []).append(row.name)
    return found


def _registered(row: Any, targets: dict[str, list[str]]) -> RegisteredRevision:
    kept = reading.revision(row.revision)
    assert kept is not None
    return RegisteredRevision(
        application=row.application,
        revision=kept,
        description=row.description,
        registered_at=row.registered_at,
        first_used_at=row.first_used_at,
        last_used_at=row.last_used_at,
        groups=tuple(targets.get(row.identity, ())),
    )
