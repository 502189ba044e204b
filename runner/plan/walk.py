"""Given how far a program is, what happens next. The counterpart of `decide` for one target whose traffic moves.

Pure, as `decide` is, and called again whenever anything changed. Its rules:

* one act at a time; the next step begins when the one before has ended well;
* an act under way is never aborted, but for a hook that is only waited for: a stop ends the waiting;
* a failed act ends the deployment; what it has done stays as it is, for the rollback;
* a stop, an alarm or the deadline begins nothing further;
* once the target serves, what follows cleans up: a stop then keeps the original.
"""

import datetime as dt

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.program import Act, Program, Wait, WaitKind
from runner.model.target import EventStatus, TargetStatus
from runner.model.value import Value

PENDING, IN_PROGRESS = EventStatus.PENDING, EventStatus.IN_PROGRESS

# How long all acts of a deployment may take beside its waits. Source: CodeDeploy user guide, "Deployments limits": 50 hours
# for Lambda, where first and last shift are at most 48 apart.
LONGEST = dt.timedelta(hours=12)


class WalkView(Value, frozen=True, kw_only=True):
    """A deployment that walks. *act*: how the act of *step* went so far; Pending where it has not begun, or is a wait.

    *failure*: of an act that failed. *is_hook*: the act under way is a function of the user's that is waited for.
    """

    now: dt.datetime
    program: Program
    step: int = 0
    act: EventStatus = PENDING
    is_hook: bool = False
    failure: ErrorInformation | None = None
    hold_until: dt.datetime | None = None
    deadline: dt.datetime | None = None
    stop_requested: bool = False
    continue_requested: bool = False
    alarm: ErrorInformation | None = None

    @property
    def is_late(self) -> bool:
        return self.deadline is not None and self.now >= self.deadline


class Move(Value, frozen=True, kw_only=True):
    """What to record now. *start*: begin the act of *step*. *abandon*: the hook under way is waited for no longer.

    *wait*: the kind of wait that the deployment is in. *status*: terminal, or None.
    """

    step: int
    start: bool = False
    abandon: bool = False
    wait: WaitKind | None = None
    hold_until: dt.datetime | None = None
    status: DeploymentStatus | None = None
    error: ErrorInformation | None = None


def deadline(started_at: dt.datetime, program: Program) -> dt.datetime:
    """When a deployment that began then has taken too long."""
    return started_at + LONGEST + program.waits


def target_status(program: Program, move: Move, *, begun: bool) -> TargetStatus:
    """Of the one target, after *move*. *begun*: any act was ever started."""
    if move.step >= program.serving:
        return TargetStatus.SUCCEEDED
    if move.status is not None:
        return TargetStatus.FAILED if begun else TargetStatus.SKIPPED
    if move.wait == "ready":
        return TargetStatus.READY
    return TargetStatus.IN_PROGRESS if begun else TargetStatus.PENDING


def walk(view: WalkView) -> Move:
    """The next move. Walking again on the result, with nothing new, changes nothing."""
    if view.act is IN_PROGRESS:
        return _under_way(view)
    if view.failure is not None:
        return Move(step=view.step, status=DeploymentStatus.FAILED, error=view.failure)
    step = view.step if view.act is PENDING else view.step + 1
    if step == len(view.program.steps):
        return Move(step=step, status=DeploymentStatus.SUCCEEDED)
    if (ending := _ending(view)) is not None:
        status, error = ending
        return Move(step=step, status=status, error=error)
    return _go_on(view, step)


def _under_way(view: WalkView) -> Move:
    if view.is_hook and (ending := _ending(view)) is not None:
        status, error = ending
        return Move(step=view.step, abandon=True, status=status, error=error)
    return Move(step=view.step)


def _ending(view: WalkView) -> tuple[DeploymentStatus, ErrorInformation] | None:
    """Why nothing further may begin."""
    if view.stop_requested:
        return DeploymentStatus.STOPPED, ErrorInformation(code="MANUAL_STOP", message="stopped on request")
    if view.alarm is not None:
        return DeploymentStatus.STOPPED, view.alarm
    if view.is_late:
        return DeploymentStatus.FAILED, _late(view)
    return None


def _go_on(view: WalkView, step: int) -> Move:
    steps, hold_until = view.program.steps, view.hold_until if step == view.step else None
    go_on = view.continue_requested
    while step < len(steps):
        current = steps[step]
        if isinstance(current, Act):
            return Move(step=step, start=True)
        if not go_on:
            if hold_until is None and current.duration is not None:
                hold_until = view.now + current.duration
            if hold_until is None or view.now < hold_until:
                return Move(step=step, wait=current.kind, hold_until=hold_until)
            if current.expires == "stop":
                return Move(step=step, status=DeploymentStatus.STOPPED, error=nobody_continued(current))
        step, hold_until, go_on = step + 1, None, False
    return Move(step=step, status=DeploymentStatus.SUCCEEDED)


def nobody_continued(wait: Wait) -> ErrorInformation:
    minutes = round(wait.duration.total_seconds() / 60) if wait.duration else 0
    message = f"The deployment timed out while waiting for a notification to continue (it waited {minutes} minutes)."
    return ErrorInformation(code="TIMEOUT", message=message)


def _late(view: WalkView) -> ErrorInformation:
    longest = (LONGEST + view.program.waits).total_seconds() / 3600
    doing = view.program.steps[view.step]
    where = doing.event if isinstance(doing, Act) else f"the {doing.kind} wait"
    message = f"the deployment did not end within {longest:g} hours; it was in {where}"
    return ErrorInformation(code="TIMEOUT", message=message)
