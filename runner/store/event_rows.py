"""The hosts of a deployment and their lifecycle events, as they change during one transaction; written at its end."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from runner.model.command import Outcome
from runner.model.manifest import TriggerEvent
from runner.model.target import EventStatus, TargetStatus
from runner.model.value import to_json
from runner.model.work import EventEnded, RunEvent
from runner.plan.decide import EndTarget, StartEvent
from runner.store import reading
from runner.store import tables as t
from runner.store.ledger import Ledger
from runner.store.letters import post_about_targets

EventsOf = Callable[[str | None], tuple[str, ...]]
"""Label of a host (None in place) to all lifecycle events that it goes through."""


@dataclass(slots=True)
class TargetRow:
    """A row of `targets`. *label*: of the fleet that it is in; None in place."""

    target: str
    healthy: bool
    status: TargetStatus
    event: int
    event_status: EventStatus
    attempt: int
    label: str | None = None


def run_event(
    deployment_id: str, target: str, event: int, attempt: int, events: tuple[str, ...], *, is_last: bool | None = None
) -> RunEvent:
    """The action for number *event* of the target's own *events*. *is_last*: nothing follows for a while."""
    return RunEvent(
        deployment_id=deployment_id,
        target=target,
        event=event,
        attempt=attempt,
        name=events[event],
        is_last=event + 1 == len(events) if is_last is None else is_last,
    )


def status_of(outcome: Outcome) -> EventStatus:
    """Skipped: nobody on the host took it up. Source: user guide, "Deployment lifecycle event statuses"."""
    if outcome.succeeded:
        return EventStatus.SUCCEEDED
    return EventStatus.FAILED if outcome.began else EventStatus.SKIPPED


def told(started: Sequence[StartEvent], ended: Sequence[EndTarget]) -> list[tuple[TriggerEvent, list[str]]]:
    """What a letter says of which hosts."""
    return [
        ("InstanceStart", [move.target for move in started if move.event == 0]),
        ("InstanceSuccess", [move.target for move in ended if move.status is TargetStatus.SUCCEEDED]),
        ("InstanceFailure", [move.target for move in ended if move.status is TargetStatus.FAILED]),
    ]


class EventRows:
    """*events_of*: of this deployment. *actions*: for the driver, once all is durable."""

    def __init__(
        self, tx: sa.Connection, ledger: Ledger, deployment_id: str, now: dt.datetime, events_of: EventsOf
    ) -> None:
        self._tx, self._ledger, self._id, self._now = tx, ledger, deployment_id, now
        self.events_of = events_of
        self.actions: list[RunEvent] = []
        self.targets = {target.target: target for target in self._read()}  # in deployment order
        self._changed: dict[str, TargetRow] = {}
        self._started: list[dict[str, Any]] = []
        self._ended: list[dict[str, Any]] = []

    def _read(self) -> list[TargetRow]:
        c = t.targets.c
        query = sa.select(c.target, c.healthy, c.status, c.event, c.event_status, c.attempt, c.label)
        rows = self._tx.execute(query.where(c.deployment_id == self._id).order_by(c.position))
        return [
            TargetRow(target, healthy, TargetStatus(status), event, EventStatus(event_status), attempt, label)
            for target, healthy, status, event, event_status, attempt, label in rows
        ]

    def record(self, result: EventEnded) -> None:
        """How an event ended; nothing where it is not that very attempt that is under way."""
        target = self.targets.get(result.target)
        if target is None or target.event_status is not EventStatus.IN_PROGRESS:
            return
        if (target.event, target.attempt) != (result.event, result.attempt):
            return
        outcome = result.outcome
        target.event_status = status_of(outcome)
        self._changed[target.target] = target
        self._ended.append(
            {
                "of": result.deployment_id,
                "on": target.target,
                "number": target.event,
                "status": target.event_status,
                "ended_at": self._now,
                "diagnostics": to_json(outcome.diagnostics),
            }
        )
        failed = None if outcome.succeeded else outcome.diagnostics
        self._ledger.note(
            result.deployment_id,
            f"lifecycle event {target.event_status.lower()}",
            target=target.target,
            lifecycle_event=self.events_of(target.label)[target.event],
            attempt=target.attempt,
            error_code=failed and failed.error_code,
            script_name=failed and failed.script_name,
            message=failed and failed.message,
        )

    def start(self, move: StartEvent, *, is_last: bool | None = None) -> None:
        target, event = self.targets[move.target], move.event
        events = self.events_of(target.label)
        if target.event < 0:
            self._ledger.note(self._id, "target started", target=target.target)
        target.status, target.event = TargetStatus.IN_PROGRESS, event
        target.event_status, target.attempt = EventStatus.IN_PROGRESS, 1
        self._changed[target.target] = target
        self._started.append(
            {
                "deployment_id": self._id,
                "target": target.target,
                "event": event,
                "name": events[event],
                "attempt": target.attempt,
                "status": EventStatus.IN_PROGRESS,
                "started_at": self._now,
            }
        )
        self._ledger.note(
            self._id,
            "lifecycle event started",
            target=target.target,
            lifecycle_event=events[event],
            attempt=target.attempt,
        )
        self.actions.append(run_event(self._id, target.target, event, target.attempt, events, is_last=is_last))

    def end(self, move: EndTarget) -> None:
        self.set_status(self.targets[move.target], move.status)
        self._ledger.note(self._id, f"target {move.status.lower()}", target=move.target)

    def set_status(self, target: TargetRow, status: TargetStatus) -> None:
        target.status = status
        self._changed[target.target] = target

    def write(self) -> None:
        """Each kind of row in one statement."""
        e, c = t.lifecycle_events, t.targets.c
        if self._ended:
            same = (e.c.deployment_id == sa.bindparam("of")) & (e.c.target == sa.bindparam("on"))
            update = e.update().where(same & (e.c.event == sa.bindparam("number")))
            names: tuple[str, ...] = ("status", "ended_at", "diagnostics")
            self._tx.execute(update.values({name: sa.bindparam(name) for name in names}), self._ended)
        if self._started:
            self._tx.execute(e.insert(), self._started)
        if self._changed:
            update = t.targets.update().where(c.deployment_id == sa.bindparam("of"), c.target == sa.bindparam("on"))
            names = ("status", "event", "event_status", "attempt", "updated_at")
            self._tx.execute(
                update.values({name: sa.bindparam(name) for name in names}),
                [
                    {
                        "of": self._id,
                        "on": target.target,
                        "status": target.status,
                        "event": target.event,
                        "event_status": target.event_status,
                        "attempt": target.attempt,
                        "updated_at": self._now,
                    }
                    for target in self._changed.values()
                ],
            )

    def tell(self, row: Any, told: Sequence[tuple[TriggerEvent, Sequence[str]]]) -> None:
        """Letters about single hosts, once everything is written. *row*: of the deployment."""
        if '"Instance' not in row.settings:
            return  # no trigger of the group asks for single hosts: spare the reading
        deployment = reading.deployments(self._tx, t.deployments.c.id == self._id)[0]
        for event, names in told:
            if names:
                of = reading.targets(self._tx, self._id, self.events_of(None), *names)
                post_about_targets(self._tx, deployment, of, event, self._now)
