"""The rows of registered revisions, inside a transaction that is under way."""

import datetime as dt

import sqlalchemy as sa

from runner.errors import RevisionDoesNotExist
from runner.model.revision import AppSpecRevision, Revision
from runner.model.value import to_json
from runner.plan.revisions import identity
from runner.store import reading
from runner.store import tables as t

_c = t.revisions.c


def same(application: str, revision: Revision) -> sa.ColumnElement[bool]:
    return sa.and_(_c.application == application, _c.identity == identity(revision))


def register(tx: sa.Connection, application: str, revision: Revision, description: str, now: dt.datetime) -> None:
    """A row for a revision that has none."""
    if isinstance(revision, AppSpecRevision) and not revision.content:
        raise RevisionDoesNotExist(
            f"the application has no AppSpec with the SHA-256 {revision.sha256}; give its content"
        )
    tx.execute(
        t.revisions.insert().values(
            application=application,
            identity=identity(revision),
            revision=to_json(revision),
            description=description,
            registered_at=now,
        )
    )


def use(tx: sa.Connection, application: str, revision: Revision, now: dt.datetime) -> Revision:
    """Note that a deployment of *application* uses *revision*, as `ports.catalog.Revisions.use` has it."""
    where = same(application, revision)
    values = {
        "last_used_at": now,
        "first_used_at": sa.func.coalesce(_c.first_used_at, sa.bindparam("now", now, t.Time)),
    }
    query = sa.select(_c.revision).where(where)
    if tx.execute(query).first() is None:
        register(tx, application, revision, "", now)
    tx.execute(t.revisions.update().where(where).values(values))
    kept = reading.revision(tx.execute(query).scalar_one())
    assert kept is not None
    return kept
