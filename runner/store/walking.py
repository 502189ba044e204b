"""The reconciling transaction for one target whose traffic moves: apply what `walk` says. See `runner.store.advance`."""

import datetime as dt
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from runner.model.command import Outcome
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation
from runner.model.manifest import GroupSettings, TriggerEvent
from runner.model.program import Act, Program, WaitKind
from runner.model.target import EventStatus, TargetStatus
from runner.model.value import from_json, to_json
from runner.model.work import EventEnded, RunAct
from runner.plan.attempts import attempted
from runner.plan.walk import Move, WalkView, deadline, target_status, walk
from runner.store import reading
from runner.store import tables as t
from runner.store.act_rows import ActRows
from runner.store.acts import TrafficStock, action
from runner.store.ending import end_deployment
from runner.store.ledger import Ledger
from runner.store.letters import post_about_deployment, post_about_targets

# What fails a deployment when the platform has no better word. Source: CodeDeploy API reference, "ErrorInformation".
_CODES = {"Lambda": "INVALID_LAMBDA_CONFIGURATION", "ECS": "ECS_UPDATE_ERROR"}


class Walker:
    """One look at one deployment under way. `actions` and `withdrawn` are for the driver, once all is durable."""

    def __init__(self, tx: sa.Connection, ledger: Ledger, row: Any, now: dt.datetime) -> None:
        self._tx, self._ledger, self._row, self._now = tx, ledger, row, now
        self._program = from_json(row.plan, Program)
        self._events = self._program.events
        c = t.targets
        self._target: dict[str, Any] = dict(
            tx.execute(sa.select(c).where(c.c.deployment_id == row.id)).mappings().one()
        )
        self._rows = ActRows(tx, ledger, row.id, self._target["target"], self._events, now)
        self._failure = from_json(row.error, ErrorInformation) if row.error else None
        self.actions: list[RunAct] = []
        self.withdrawn: list[str] = []

    def look(self, results: Sequence[object], *, draining: bool) -> None:
        """Record *results*, and move on unless *draining*."""
        for result in results:
            if isinstance(result, EventEnded):
                self._record(result)
        if draining:
            self._write_target()
            self._set(dirty=True)
            return
        move = walk(self._view())
        if move.abandon:
            self._abandon()
        elif move.status:
            self._rows.break_off("The deployment ended before all of the traffic was moved.")
        self._take(move)

    # What has ended.

    def _record(self, result: EventEnded) -> None:
        target = self._target
        if target["event_status"] != EventStatus.IN_PROGRESS:
            return
        if (target["event"], target["attempt"]) != (result.event, result.attempt):
            return
        outcome = result.outcome
        if outcome.state is not None:
            target["state"] = to_json(outcome.state)
        elif not outcome.succeeded and self._row.rollback is None:  # a bug: what it may have done can be undone
            target["state"] = to_json(attempted(reading.state_of(target["state"]), self._act()))
        target["event_status"] = EventStatus.SUCCEEDED if outcome.succeeded else EventStatus.FAILED
        self._note_end(outcome)
        if not outcome.succeeded:
            self._rows.end(target["event"], EventStatus.FAILED, outcome)
        elif self._is_last_of_event():
            self._rows.end(target["event"], EventStatus.SUCCEEDED, outcome)

    def _note_end(self, outcome: Outcome) -> None:
        act, diagnostics = self._act(), outcome.diagnostics
        if outcome.succeeded and act.weight is not None:
            self._rows.note("traffic shifted", self._target["event"], weight=act.weight)
        if not outcome.succeeded:
            settings = from_json(self._row.settings, GroupSettings)
            code = outcome.code or _CODES.get(settings.platform, "INTERNAL_ERROR")
            failure = ErrorInformation(code=code, message=f"{act.event}: {diagnostics.message}")
            self._set(error=to_json(failure))  # another process may be the one that ends it
            self._failure = failure

    def _is_last_of_event(self) -> bool:
        """All moves of production traffic are one event, whatever is done between them."""
        later = (step for step in self._program.steps[self._row.step + 1 :] if isinstance(step, Act))
        return self._act().weight is None or all(step.weight is None for step in later)

    def _abandon(self) -> None:
        """The hook is waited for no longer; what it says later is too late."""
        self._rows.break_off("The deployment was stopped while this function's status was waited for.")
        self._target["event_status"] = EventStatus.FAILED
        self.withdrawn.append(self._row.id)

    # What comes next.

    def _view(self) -> WalkView:
        row, act = self._row, EventStatus(self._target["event_status"])
        return WalkView(
            now=self._now,
            program=self._program,
            step=row.step,
            act=act,
            is_hook=act is EventStatus.IN_PROGRESS and self._is_hook(),
            failure=self._failure,
            hold_until=row.hold_until,
            deadline=deadline(row.started_at, self._program),
            stop_requested=row.stop_requested,
            continue_requested=row.continue_requested,
            alarm=from_json(row.alarm, ErrorInformation) if row.alarm else None,
        )

    def _is_hook(self) -> bool:
        return self._act().event in from_json(self._row.prepared, TrafficStock).spec.hooks

    def _take(self, move: Move) -> None:
        row, target = self._row, self._target
        moved_on = move.step != row.step
        if moved_on or move.start:
            target["event_status"] = EventStatus.PENDING
        self._note_waits(move)
        begun = target["event"] >= 0 or move.start
        was, status = target["status"], target_status(self._program, move, begun=begun)
        target["status"] = status
        row_status = DeploymentStatus.READY if move.wait == "ready" else DeploymentStatus.IN_PROGRESS
        values = {
            "status": row_status,
            "step": move.step,
            "wait": move.wait,
            "hold_until": move.hold_until,
            "waiting_for": words(move.wait),
            "waiting_until": move.hold_until,
            "continue_requested": False,  # it has ended the wait that it was for
            "dirty": False,
        }
        view_is_late = self._now >= deadline(row.started_at, self._program)
        times = [move.hold_until, None if view_is_late else deadline(row.started_at, self._program)]
        values["wake_at"] = min((each for each in times if each is not None), default=None)
        self._set(**values)
        if move.start:
            self._start(move.step)
        self._write_target()
        self._tell(was, status, ready=move.wait == "ready" and row.wait != "ready")
        if move.status is not None:
            reversible = (
                self._failure is None or self._act().event != "Terminate"
            )  # a replacement that serves well stays
            args = (self._tx, self._ledger, row.id, move.status, move.error, self._now)
            end_deployment(*args, reversible=reversible)

    def _start(self, step: int) -> None:
        target, act = self._target, self._program.steps[step]
        assert isinstance(act, Act)
        if target["event"] < 0:
            self._ledger.note(self._row.id, "target started", target=target["target"])
        target["event"], target["event_status"] = self._events.index(act.event), EventStatus.IN_PROGRESS
        target["attempt"] = self._rows.open(target["event"])
        row = self._tx.execute(sa.select(t.deployments).where(t.deployments.c.id == self._row.id)).one()
        self.actions.append(action(self._tx, row, SimpleNamespace(**target), self._program))

    def _act(self) -> Act:
        act = self._program.steps[self._row.step]
        assert isinstance(act, Act)
        return act

    def _note_waits(self, move: Move) -> None:
        row = self._row
        if row.wait and (row.wait, row.hold_until) != (move.wait, move.hold_until) and not move.status:
            self._ledger.note(row.id, f"{row.wait} ended", continued_on_request=row.continue_requested or None)
        if move.wait and (row.wait, row.hold_until) != (move.wait, move.hold_until):
            until = move.hold_until.isoformat() if move.hold_until else None
            self._ledger.note(row.id, f"{move.wait} started", until=until)

    def _tell(self, was: str, status: TargetStatus, *, ready: bool) -> None:
        if status != was and status.is_terminal:
            self._ledger.note(self._row.id, f"target {status.lower()}", target=self._target["target"])
        told: dict[TargetStatus, TriggerEvent] = {
            TargetStatus.READY: "InstanceReady",
            TargetStatus.SUCCEEDED: "InstanceSuccess",
            TargetStatus.FAILED: "InstanceFailure",
        }
        if was == TargetStatus.PENDING and status is TargetStatus.IN_PROGRESS:
            self._post("InstanceStart")
        elif status != was and status in told:
            self._post(told[status])
        if ready:
            post_about_deployment(self._tx, self._deployment(), "DeploymentReady", self._now)

    def _post(self, event: TriggerEvent) -> None:
        if '"Instance' in self._row.settings:
            of = reading.targets(self._tx, self._row.id, self._events)
            post_about_targets(self._tx, self._deployment(), of, event, self._now)

    def _deployment(self) -> Deployment:
        return reading.deployments(self._tx, t.deployments.c.id == self._row.id)[0]

    def _set(self, **values: Any) -> None:
        d = t.deployments
        self._tx.execute(d.update().where(d.c.id == self._row.id).values(**values))

    def _write_target(self) -> None:
        c, target = t.targets, self._target
        names = ("status", "event", "event_status", "attempt", "state")
        values = {name: target[name] for name in names}
        same = (c.c.deployment_id == self._row.id) & (c.c.target == target["target"])
        self._tx.execute(c.update().where(same).values(**values, updated_at=self._now))


def words(wait: WaitKind | None) -> str | None:
    """What a deployment in that wait waits for."""
    known: dict[str, str] = {
        "hold": "the hold to end",
        "ready": "somebody to continue, then traffic moves",
        "termination": "the time in which the original is kept",
    }
    return known[wait] if wait else None
