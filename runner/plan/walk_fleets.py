"""Given how far a blue/green deployment on servers is, what happens next. Pure, as `decide` and `walk` are.

One look looks at one step. Inside a stage `decide` has the say; between stages the rules are those of `walk`: a stop, an
alarm or the deadline begins nothing further, a failure ends the deployment, and nobody's traffic is moved back here.
"""

import datetime as dt

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.program import Act, Wait, WaitKind
from runner.model.rollout import Rollout
from runner.model.target import EventStatus, TargetStatus
from runner.model.value import Value
from runner.plan.batches import RolloutPlan
from runner.plan.decide import Decision, EndTarget, StartEvent, TargetView, View, decide
from runner.plan.fleets import FleetProgram, Stage, deadline, stage_plan
from runner.plan.walk import nobody_continued

PENDING, IN_PROGRESS = EventStatus.PENDING, EventStatus.IN_PROGRESS


class FleetTarget(Value, frozen=True, kw_only=True):
    """One host. *event*: index among all events of its fleet of the one that is or was last run."""

    id: str
    label: str
    healthy: bool
    status: TargetStatus
    event: int = -1
    event_status: EventStatus = PENDING


class FleetView(Value, frozen=True, kw_only=True):
    """A deployment under way. *act*: how the act of *step* went so far. *batch*: place in the plan of the stage *step*.

    *failure*: of an act that failed. *targets* stand in deployment order.
    """

    now: dt.datetime
    program: FleetProgram
    rollout: Rollout
    targets: tuple[FleetTarget, ...]
    started_at: dt.datetime
    step: int = 0
    act: EventStatus = PENDING
    failure: ErrorInformation | None = None
    batch: int = 0
    hold_until: dt.datetime | None = None
    stop_requested: bool = False
    continue_requested: bool = False
    alarm: ErrorInformation | None = None
    ignore_application_stop_failures: bool = False

    @property
    def deadline(self) -> dt.datetime:
        current = self.program.steps[self.step] if self.step < len(self.program.steps) else None
        holds = plan_of(self).holds if isinstance(current, Stage) and members(self) else dt.timedelta(0)
        return deadline(self.started_at, self.program, holds)


class FleetMove(Value, frozen=True, kw_only=True):
    """What to record now. *start*: begin the act of *step*. *ready*: hosts that wait for traffic. *again*: look once more.

    Event numbers are those of the target's fleet. *status*: terminal, or None; then every target has ended too.
    """

    step: int
    batch: int = 0
    hold_until: dt.datetime | None = None
    wait: WaitKind | None = None
    start: bool = False
    again: bool = False
    ended: tuple[EndTarget, ...] = ()
    started: tuple[StartEvent, ...] = ()
    status: DeploymentStatus | None = None
    error: ErrorInformation | None = None


def walk_fleets(view: FleetView) -> FleetMove:
    """The next move. Walking again on the result, with nothing new, changes nothing."""
    if view.step == len(view.program.steps):
        return _over(view, DeploymentStatus.SUCCEEDED, None)
    match view.program.steps[view.step]:
        case Stage() as stage:
            return _stage(view, stage) if members(view) else _next(view)
        case Act():
            return _act(view)
        case Wait() as wait:
            return _wait(view, wait)


def members(view: FleetView) -> list[FleetTarget]:
    """The hosts that go through the stage under way: those of its fleet, but for what failed in an earlier stage."""
    stage, first = view.program.steps[view.step], view.program.first_event(view.step)
    assert isinstance(stage, Stage)
    return [
        target
        for target in view.targets
        if target.label == stage.label and not (target.status.is_terminal and target.event < first)
    ]


def plan_of(view: FleetView) -> RolloutPlan:
    """Of the stage under way; the same as long as it lasts."""
    stage = view.program.steps[view.step]
    assert isinstance(stage, Stage)
    whole = sum(target.label == stage.label for target in view.targets)
    return stage_plan(stage, view.rollout, whole, len(members(view)))


def _stage(view: FleetView, stage: Stage) -> FleetMove:
    first = view.program.first_event(view.step)
    decision = decide(_decided(view, stage, first))
    ended = _really_ended(view, decision, first)
    if decision.status is DeploymentStatus.SUCCEEDED:
        return _next(view, ended)
    if decision.status is not None:
        return _over(view, decision.status, _error(view, stage, decision), ended)
    started = tuple(StartEvent(target=each.target, event=each.event + first) for each in decision.started)
    return FleetMove(step=view.step, batch=decision.step, hold_until=decision.hold_until, ended=ended, started=started)


def _really_ended(view: FleetView, decision: Decision, first: int) -> tuple[EndTarget, ...]:
    """For `decide` a stage is all there is. A host that is through with it may have a later one, and one that it gives up
    before that stage began may have been through an earlier one; `_over` knows."""
    waiting = {target.id for target in members(view) if target.event < first}
    is_last = view.program.is_last_stage(view.step)
    return tuple(
        EndTarget(target=each.target, status=TargetStatus.FAILED)
        if each.status is TargetStatus.SKIPPED and first > 0
        else each
        for each in decision.ended
        if each.target not in waiting and (is_last or each.status is not TargetStatus.SUCCEEDED)
    )


def _decided(view: FleetView, stage: Stage, first: int) -> View:
    """The stage as `decide` sees a deployment."""
    return View(
        now=view.now,
        events=stage.events,
        plan=plan_of(view),
        targets=tuple(_seen(target, first) for target in members(view)),
        step=view.batch,
        hold_until=view.hold_until,
        deadline=view.deadline,
        stop_requested=view.stop_requested,
        alarm=view.alarm,
        continue_requested=view.continue_requested,
        ignore_application_stop_failures=view.ignore_application_stop_failures,
    )


def _seen(target: FleetTarget, first: int) -> TargetView:
    if target.event < first:
        return TargetView(id=target.id, healthy=target.healthy, status=TargetStatus.PENDING)
    return TargetView(
        id=target.id,
        healthy=target.healthy,
        status=target.status,
        event=target.event - first,
        event_status=target.event_status,
    )


def _act(view: FleetView) -> FleetMove:
    if view.act is IN_PROGRESS:
        return FleetMove(step=view.step)
    if view.failure is not None:
        return _over(view, DeploymentStatus.FAILED, view.failure)
    if view.act is EventStatus.SUCCEEDED:
        return _next(view)
    return _ending(view) or FleetMove(step=view.step, start=True)


def _wait(view: FleetView, wait: Wait) -> FleetMove:
    if (ending := _ending(view)) is not None:
        return ending
    if view.continue_requested:
        return _next(view)
    until = view.hold_until or (view.now + wait.duration if wait.duration else None)
    if until is None or view.now < until:
        return FleetMove(step=view.step, wait=wait.kind, hold_until=until)
    if wait.expires == "stop":
        return _over(view, DeploymentStatus.STOPPED, nobody_continued(wait))
    return _next(view)


def _next(view: FleetView, ended: tuple[EndTarget, ...] = ()) -> FleetMove:
    return FleetMove(step=view.step + 1, ended=ended, again=True)


def _ending(view: FleetView) -> FleetMove | None:
    """Why nothing further may begin."""
    if view.stop_requested:
        stopped = ErrorInformation(code="MANUAL_STOP", message="stopped on request")
        return _over(view, DeploymentStatus.STOPPED, stopped)
    if view.alarm is not None:
        return _over(view, DeploymentStatus.STOPPED, view.alarm)
    if view.now >= view.deadline:
        return _over(view, DeploymentStatus.FAILED, _late(view))
    return None


def _over(
    view: FleetView,
    status: DeploymentStatus,
    error: ErrorInformation | None,
    ended: tuple[EndTarget, ...] = (),
) -> FleetMove:
    """The end. A host that was begun and has no traffic yet has failed; one that was never touched is skipped."""
    known = {each.target for each in ended}
    rest = (target for target in view.targets if target.id not in known and not target.status.is_terminal)
    left = tuple(
        EndTarget(target=target.id, status=TargetStatus.SKIPPED if target.event < 0 else TargetStatus.FAILED)
        for target in rest
    )
    return FleetMove(step=view.step, status=status, error=error, ended=(*ended, *left))


def _error(view: FleetView, stage: Stage, decision: Decision) -> ErrorInformation | None:
    error = decision.error
    if error is None or error.code not in ("TIMEOUT", "HEALTH_CONSTRAINTS"):
        return error
    if error.code == "TIMEOUT":
        return _late(view)
    part = f"{stage.label.lower()} hosts, {stage.events[0]} to {stage.events[-1]}"
    return ErrorInformation(code=error.code, message=f"{part}: {error.message}")


def _late(view: FleetView) -> ErrorInformation:
    hours = (view.deadline - view.started_at).total_seconds() / 3600
    match view.program.steps[view.step]:
        case Stage(events=events, label=label):
            where = f"{events[0]} to {events[-1]} of the {label.lower()} hosts"
        case Act(event=event):
            where = event
        case Wait(kind=kind):
            where = f"the {kind} wait"
    return ErrorInformation(
        code="TIMEOUT", message=f"the deployment did not end within {hours:g} hours; it was in {where}"
    )
