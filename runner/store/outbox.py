"""Notifications that wait until they are delivered. They are written by `letters`, with what they tell."""

import datetime as dt

import sqlalchemy as sa

from runner.model.manifest import TriggerEvent
from runner.model.status import UndeliveredState
from runner.ports import Message
from runner.store import tables as t
from runner.store.database import Database


class Outbox:
    """Implements the port `OutboxStore`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def due_messages(self, now: dt.datetime, limit: int) -> list[Message]:
        """The oldest message to each destination, where its time has come; oldest first."""
        o = t.outbox.c
        query = sa.select(o.id, o.to, o.event, o.subject, o.body, o.created_at)
        with self._db.read() as tx:
            rows = tx.execute(query.where(_is_head(), o.next_attempt_at <= now).order_by(o.id).limit(limit))
            return [Message(**row._mapping) for row in rows]

    def next_message_at(self) -> dt.datetime | None:
        with self._db.read() as tx:
            return tx.execute(sa.select(sa.func.min(t.outbox.c.next_attempt_at)).where(_is_head())).scalar()

    def message_sent(self, message_id: int, at: dt.datetime) -> None:
        same = t.outbox.c.id == message_id
        with self._db.write() as tx:
            tx.execute(t.outbox.update().where(same).values(status="Sent", sent_at=at, next_attempt_at=None))

    def message_failed(self, message_id: int, error: str, retry_at: dt.datetime | None) -> None:
        """Try again at *retry_at*; None: given up, and kept with its error."""
        o = t.outbox.c
        values = {"last_error": error, "attempts": o.attempts + 1, "next_attempt_at": retry_at}
        if retry_at is None:
            values["status"] = "Failed"
        with self._db.write() as tx:
            tx.execute(t.outbox.update().where(o.id == message_id).values(values))


def put(
    tx: sa.Connection,
    deployment_id: str,
    to: str,
    event: TriggerEvent,
    subject: str,
    body: dict[str, str | None],
    now: dt.datetime,
) -> None:
    """Into the outbox, with the transaction of what it tells."""
    tx.execute(
        t.outbox.insert().values(
            deployment_id=deployment_id,
            to=to,
            event=event,
            subject=subject,
            body=body,
            created_at=now,
            next_attempt_at=now,
        )
    )


def undelivered_to(tx: sa.Connection) -> list[UndeliveredState]:
    """How it goes with each destination that something is not delivered to."""
    o = t.outbox.c
    waiting = sa.func.count().filter(o.status == "Pending")
    newest = sa.func.max(o.id).filter(o.last_error.is_not(None))
    rows = tx.execute(
        sa.select(o.to, waiting, sa.func.count(), newest).where(o.status != "Sent").group_by(o.to).order_by(o.to)
    ).all()
    last = sa.select(o.id, o.last_error).where(o.id.in_([row[3] for row in rows if row[3] is not None]))
    said = {row.id: row.last_error for row in tx.execute(last)}
    return [
        UndeliveredState(to=to, waiting=waits, given_up=unsent - waits, last_error=said.get(newest_failed))
        for to, waits, unsent, newest_failed in rows
    ]


def _is_head() -> sa.ColumnElement[bool]:
    """Whether a message is the oldest of its destination that still waits: those behind it wait with it."""
    o = t.outbox.c
    return o.id.in_(sa.select(sa.func.min(o.id)).where(o.status == "Pending").group_by(o.to))
