"""The lifecycle events of one target whose traffic moves, as rows. The counterpart of `event_rows` for hosts."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from runner.model.command import Outcome
from runner.model.target import Diagnostics, EventStatus
from runner.model.value import to_json
from runner.store import tables as t
from runner.store.ledger import Ledger


class ActRows:
    """Of *target* in a deployment. *events*: their names; a lifecycle event is a number that counts in them."""

    def __init__(
        self,
        tx: sa.Connection,
        ledger: Ledger,
        deployment_id: str,
        target: str,
        events: Sequence[str],
        now: dt.datetime,
    ) -> None:
        self._tx, self._ledger, self._now = tx, ledger, now
        self._id, self._target, self._events = deployment_id, target, events

    def open(self, event: int) -> int:
        """Its first act begins it. Another one goes on with it, or begins it again where it was over, as a check is.

        Returns the attempt that begins.
        """
        c = t.lifecycle_events
        known = self._tx.execute(sa.select(c.c.attempt, c.c.status).where(self._is(event))).first()
        attempt: int = known.attempt + 1 if known else 1
        values = {"status": EventStatus.IN_PROGRESS, "attempt": attempt, "ended_at": None, "diagnostics": None}
        if known:
            self._tx.execute(c.update().where(self._is(event)).values(values))
        else:
            key = {"deployment_id": self._id, "target": self._target, "event": event}
            self._tx.execute(c.insert().values(**key, **values, name=self._events[event], started_at=self._now))
        if not known or known.status != EventStatus.IN_PROGRESS:
            self.note("lifecycle event started", event)
        return attempt

    def end(self, event: int, status: EventStatus, outcome: Outcome) -> None:
        values = {"status": status, "ended_at": self._now, "diagnostics": to_json(outcome.diagnostics)}
        self._tx.execute(t.lifecycle_events.update().where(self._is(event)).values(values))
        failed = None if outcome.succeeded else outcome.diagnostics
        self.note(
            f"lifecycle event {status.lower()}",
            event,
            error_code=failed and failed.error_code,
            script_name=(failed and failed.script_name) or None,
            message=failed and failed.message,
        )

    def break_off(self, message: str) -> None:
        """End what has begun and is not over: with moves of traffic to come, there may be no act of it under way."""
        outcome = Outcome(succeeded=False, diagnostics=Diagnostics(error_code="UnknownError", message=message))
        c = t.lifecycle_events.c
        begun = (c.deployment_id == self._id) & (c.status == EventStatus.IN_PROGRESS)
        for event in list(self._tx.execute(sa.select(c.event).where(begun)).scalars()):
            self.end(event, EventStatus.FAILED, outcome)

    def note(self, kind: str, event: int, **details: Any) -> None:
        """In the journal."""
        attempt = self._tx.execute(sa.select(t.lifecycle_events.c.attempt).where(self._is(event))).scalar_one()
        name = self._events[event]
        self._ledger.note(self._id, kind, target=self._target, lifecycle_event=name, attempt=attempt, **details)

    def _is(self, event: int) -> sa.ColumnElement[bool]:
        c = t.lifecycle_events.c
        return (c.deployment_id == self._id) & (c.event == event)
