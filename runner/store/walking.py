"""The reconciling transaction for one target whose traffic moves: apply what `walk` says. See `runner.store.advance`."""

import datetime as dt
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from runner.errors import UserError
from runner.model.command import Outcome
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation
from runner.model.manifest import GroupSettings, TriggerEvent
from runner.model.program import Act, Program, WaitKind
from runner.model.target import Diagnostics, EventStatus, TargetStatus
from runner.model.value import from_json, to_json
from runner.model.work import EventEnded, PreparedTraffic, RunAct
from runner.plan.programs import compile_program
from runner.plan.walk import Move, WalkView, deadline, target_status, walk
from runner.store import reading
from runner.store import tables as t
from runner.store.acts import TrafficStock, action, undoing
from runner.store.ending import end_deployment
from runner.store.ledger import Ledger
from runner.store.letters import post_about_deployment, post_about_targets

# What fails a deployment when the platform has no better word. Source: CodeDeploy API reference, "ErrorInformation".
_CODES = {"Lambda": "INVALID_LAMBDA_CONFIGURATION", "ECS": "ECS_UPDATE_ERROR"}


def begin(tx: sa.Connection, ledger: Ledger, row: Any, prepared: PreparedTraffic, now: dt.datetime) -> None:
    """From Queued to InProgress, or to Failed when the rollout asks for what the target cannot do."""
    settings = from_json(row.settings, GroupSettings)
    restoring = undoing(tx, row.rollback) is not None
    try:
        program = compile_program(settings, prepared.spec, prepared.state, restoring=restoring)
    except UserError as error:
        failed = ErrorInformation(code=error.code, message=error.message)
        end_deployment(tx, ledger, row.id, DeploymentStatus.FAILED, failed, now)
        return
    tx.execute(
        t.targets.insert().values(
            deployment_id=row.id,
            target=prepared.target,
            position=0,
            healthy=True,
            host="",
            state=to_json(prepared.state),
            status=TargetStatus.PENDING,
            event_status=EventStatus.PENDING,
        )
    )
    d, g = t.deployments, t.groups
    values = {
        "status": DeploymentStatus.IN_PROGRESS,
        "waiting_for": None,
        "started_at": now,
        "plan": to_json(program),
        "prepared": to_json(TrafficStock(spec=prepared.spec)),
        "pinned": to_json(prepared.pinned) if prepared.pinned else row.pinned,
        "dirty": True,
    }
    tx.execute(d.update().where(d.c.id == row.id).values(values))
    of_group = g.update().where(g.c.id == row.group_id)
    tx.execute(of_group.values(target_revision=row.revision, last_attempted=row.id))
    ledger.note(
        row.id, "deployment started", configuration=program.configuration, targets=1, platform=settings.platform
    )
    post_about_deployment(tx, reading.deployments(tx, d.c.id == row.id)[0], "DeploymentStart", now)


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
            self._break_off("The deployment ended before all of the traffic was moved.")
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
        target["event_status"] = EventStatus.SUCCEEDED if outcome.succeeded else EventStatus.FAILED
        self._note_end(outcome)
        if not outcome.succeeded:
            self._end_event(EventStatus.FAILED, outcome)
        elif self._is_last_of_event():
            self._end_event(EventStatus.SUCCEEDED, outcome)

    def _note_end(self, outcome: Outcome) -> None:
        act, diagnostics = self._act(), outcome.diagnostics
        if outcome.succeeded and act.weight is not None:
            self._note("traffic shifted", self._target["event"], weight=act.weight)
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

    def _end_event(self, status: EventStatus, outcome: Outcome, event: int | None = None) -> None:
        """*event*: its number; None for the one whose act was under way."""
        e = t.lifecycle_events
        event = self._target["event"] if event is None else event
        same = (e.c.deployment_id == self._row.id) & (e.c.event == event)
        values = {"status": status, "ended_at": self._now, "diagnostics": to_json(outcome.diagnostics)}
        self._tx.execute(e.update().where(same).values(values))
        failed = None if outcome.succeeded else outcome.diagnostics
        self._note(
            f"lifecycle event {status.lower()}",
            event,
            error_code=failed and failed.error_code,
            script_name=(failed and failed.script_name) or None,
            message=failed and failed.message,
        )

    def _abandon(self) -> None:
        """The hook is waited for no longer; what it says later is too late."""
        self._break_off("The deployment was stopped while this function's status was waited for.")
        self._target["event_status"] = EventStatus.FAILED
        self.withdrawn.append(self._row.id)

    def _break_off(self, message: str) -> None:
        """End what has begun and is not over: with moves of traffic to come, there may be no act of it under way."""
        outcome = Outcome(succeeded=False, diagnostics=Diagnostics(error_code="UnknownError", message=message))
        e = t.lifecycle_events.c
        begun = (e.deployment_id == self._row.id) & (e.status == EventStatus.IN_PROGRESS)
        for event in list(self._tx.execute(sa.select(e.event).where(begun)).scalars()):
            self._end_event(EventStatus.FAILED, outcome, event)

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
        self._open_event(act.event)
        row = self._tx.execute(sa.select(t.deployments).where(t.deployments.c.id == self._row.id)).one()
        self.actions.append(action(self._tx, row, SimpleNamespace(**target), self._program))

    def _open_event(self, name: str) -> None:
        """Its first act begins it. Another one goes on with it, or begins it again where it was over, as a check is."""
        e, target = t.lifecycle_events, self._target
        same = (e.c.deployment_id == self._row.id) & (e.c.event == target["event"])
        known = self._tx.execute(sa.select(e.c.attempt, e.c.status).where(same)).first()
        target["attempt"] = known.attempt + 1 if known else 1
        values = {
            "status": EventStatus.IN_PROGRESS,
            "attempt": target["attempt"],
            "ended_at": None,
            "diagnostics": None,
        }
        if known:
            self._tx.execute(e.update().where(same).values(values))
        else:
            key = {"deployment_id": self._row.id, "target": target["target"], "event": target["event"]}
            self._tx.execute(e.insert().values(**key, **values, name=name, started_at=self._now))
        if not known or known.status != EventStatus.IN_PROGRESS:
            self._note("lifecycle event started", target["event"])

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

    def _note(self, kind: str, event: int, **details: Any) -> None:
        e, target = t.lifecycle_events.c, self._target
        same = (e.deployment_id == self._row.id) & (e.event == event)
        attempt = self._tx.execute(sa.select(e.attempt).where(same)).scalar_one()
        self._ledger.note(
            self._row.id,
            kind,
            target=target["target"],
            lifecycle_event=self._events[event],
            attempt=attempt,
            **details,
        )

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
