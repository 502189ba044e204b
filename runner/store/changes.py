"""Refs and changes: what was seen, recorded before anything is done about it, and what became of it."""

import datetime as dt
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from runner.model.change import Change, SeenBy
from runner.model.status import ChangeState, ChangeStatus
from runner.plan.refs import newest_tags
from runner.store import tables as t


def observe(tx: sa.Connection, repository: str, heads: Mapping[str, str], seen_by: SeenBy, now: dt.datetime) -> int:
    """Compare *heads* with what was seen before; every ref that moved becomes one change. Returns how many did.

    Of the tags that turn up at once (when a repository is first seen, above all) only the newest of each family is one.
    """
    c = t.refs.c
    rows = tx.execute(sa.select(c.ref, c.commit_id).where(c.repository == repository))
    before = {row.ref: row.commit_id for row in rows}
    if before == heads:
        return 0
    moved = {ref: commit for ref, commit in heads.items() if before.get(ref) != commit}
    if gone := [ref for ref in before if ref not in heads]:
        tx.execute(t.refs.delete().where(c.repository == repository, c.ref.in_(gone)))
    if not moved:
        return 0
    tx.execute(t.refs.delete().where(c.repository == repository, c.ref.in_(list(moved))))
    tx.execute(
        t.refs.insert(),
        [{"repository": repository, "ref": ref, "commit_id": moved[ref], "seen_at": now} for ref in moved],
    )
    fresh = _without_older_tags(moved, before)
    for ref, commit_id in fresh.items():
        record(tx, repository, ref, commit_id, before.get(ref), seen_by, now)
    return len(fresh)


def _without_older_tags(moved: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    new_tags = [ref for ref in moved if ref.startswith("refs/tags/") and ref not in before]
    passed_over = {*new_tags} - newest_tags(new_tags)
    return {ref: commit for ref, commit in moved.items() if ref not in passed_over}


def record(
    tx: sa.Connection,
    repository: str,
    ref: str,
    commit_id: str,
    before: str | None,
    seen_by: SeenBy,
    now: dt.datetime,
) -> int:
    """One new change; older ones of the same ref that nobody has acted on yet are superseded by it."""
    c = t.changes.c
    made: int = tx.execute(
        t.changes.insert()
        .values(
            repository=repository,
            ref=ref,
            commit_id=commit_id,
            before=before,
            seen_by=seen_by,
            seen_at=now,
            status="Pending",
            next_attempt_at=now,
        )
        .returning(c.id)
    ).scalar_one()
    older = (c.repository == repository) & (c.ref == ref) & (c.status == "Pending") & (c.id < made)
    tx.execute(
        t.changes.update()
        .where(older)
        .values(status="Superseded", message=f"{ref} moved on to {commit_id[:10]} first", next_attempt_at=None)
    )
    return made


def pending(tx: sa.Connection, now: dt.datetime) -> list[Change]:
    """Changes to act on now, oldest first."""
    c = t.changes.c
    query = sa.select(t.changes).where(c.status == "Pending", c.next_attempt_at <= now).order_by(c.id)
    return [_change(row) for row in tx.execute(query)]


def next_attempt(tx: sa.Connection) -> dt.datetime | None:
    c = t.changes.c
    found: dt.datetime | None = tx.execute(
        sa.select(sa.func.min(c.next_attempt_at)).where(c.status == "Pending")
    ).scalar()
    return found


def settle(tx: sa.Connection, change_id: int, status: ChangeStatus, message: str) -> bool:
    """Say what became of a pending change. False when it was no longer pending: then nothing may be done about it."""
    c = t.changes.c
    still = (c.id == change_id) & (c.status == "Pending")
    values = {"status": status, "message": message, "next_attempt_at": None}
    return tx.execute(t.changes.update().where(still).values(values)).rowcount == 1


def postpone(tx: sa.Connection, change_id: int, message: str, until: dt.datetime) -> None:
    """The world failed while we looked at it; try again at *until*."""
    c = t.changes.c
    tx.execute(
        t.changes.update()
        .where(c.id == change_id, c.status == "Pending")
        .values(message=message, attempts=c.attempts + 1, next_attempt_at=until)
    )


def states(tx: sa.Connection, *statuses: ChangeStatus, limit: int) -> list[ChangeState]:
    """Changes in one of *statuses* (all where none is given), newest first."""
    query = sa.select(t.changes).order_by(t.changes.c.id.desc()).limit(limit)
    if statuses:
        query = query.where(t.changes.c.status.in_(statuses))
    rows = tx.execute(query).all()
    made = _deployments_of(tx, [row.id for row in rows])
    return [
        ChangeState(
            change=_change(row),
            status=row.status,
            message=row.message,
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at,
            deployments=tuple(made.get(row.id, ())),
        )
        for row in rows
    ]


def _deployments_of(tx: sa.Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    c = t.deployments.c
    found: dict[int, list[str]] = {}
    for row in tx.execute(sa.select(c.id, c.change_id).where(c.change_id.in_(ids)).order_by(c.number)):
        found.setdefault(row.change_id, []).append(row.id)
    return found


def _change(row: sa.Row[tuple[object, ...]]) -> Change:
    return Change(
        id=row.id,
        repository=row.repository,
        ref=row.ref,
        commit_id=row.commit_id,
        before=row.before,
        seen_by=row.seen_by,
        seen_at=row.seen_at,
    )
