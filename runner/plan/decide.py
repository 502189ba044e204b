"""The heart: given how far a deployment is, what happens next. Called again whenever anything changed.

`decide` is pure. It knows no host, no clock and no database; the store feeds it and applies what it says, in one
transaction. Its rules are the reference algorithm for minimum healthy hosts:

* at most *window* targets are out of service, counting those that failed when the next one is healthy;
* zone by zone, the same counts inside each zone;
* once *window* targets failed while others wait, or more than *max_failed* failed, no further target is started;
* targets in flight are never aborted by the failure of others;
* a stop, on request or by an alarm, starts nothing, and lets the events in flight end;
* the deployment succeeds when at least max(1, minimum healthy) targets did;
* past its deadline it fails: as with a stop, nothing is started and the events in flight end.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.target import EventStatus, TargetStatus
from runner.model.value import Value
from runner.plan.batches import Batch, Hold, RolloutPlan

PENDING, IN_PROGRESS = TargetStatus.PENDING, TargetStatus.IN_PROGRESS
SUCCEEDED, FAILED, SKIPPED = TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED

# What ignoreApplicationStopFailures covers: the scripts of the revision before, which the new one cannot mend.
# Source: API reference, "CreateDeployment".
FORGIVEN = frozenset({"ApplicationStop", "BeforeBlockTraffic", "AfterBlockTraffic"})

# How long an in-place deployment may take beside its holds. Source: CodeDeploy user guide, "Deployments limits".
LONGEST = dt.timedelta(hours=12)


class TargetView(Value, frozen=True, kw_only=True):
    """One target as `decide` sees it. *event*: index into the pipeline of the lifecycle event that is or was last run."""

    id: str
    healthy: bool  # before this deployment
    status: TargetStatus
    event: int = -1
    event_status: EventStatus = EventStatus.PENDING


class View(Value, frozen=True, kw_only=True):
    """A deployment InProgress. *targets* stand in deployment order. *step*: index of the plan's step that is under way."""

    now: dt.datetime
    events: tuple[str, ...]
    plan: RolloutPlan
    targets: tuple[TargetView, ...]
    step: int = 0
    hold_until: dt.datetime | None = None
    deadline: dt.datetime | None = None
    stop_requested: bool = False
    alarm: ErrorInformation | None = None  # why it is to stop by itself
    continue_requested: bool = False
    ignore_application_stop_failures: bool = False

    @property
    def is_stopping(self) -> bool:
        return self.stop_requested or self.alarm is not None

    @property
    def is_late(self) -> bool:
        return self.deadline is not None and self.now >= self.deadline


class StartEvent(Value, frozen=True, kw_only=True):
    """Start a lifecycle event on a target; the first one takes the target out of Pending."""

    target: str
    event: int


class EndTarget(Value, frozen=True, kw_only=True):
    """A target has reached a terminal status."""

    target: str
    status: TargetStatus


class Decision(Value, frozen=True, kw_only=True):
    """What to record now, in this order: ended targets, started events, the place in the plan, the end of it all."""

    ended: tuple[EndTarget, ...] = ()
    started: tuple[StartEvent, ...] = ()
    step: int = 0
    hold_until: dt.datetime | None = None
    status: DeploymentStatus | None = None
    error: ErrorInformation | None = None


def deadline(started_at: dt.datetime, plan: RolloutPlan) -> dt.datetime:
    """When a deployment that began then has taken too long; what its rollout holds for is not counted."""
    return started_at + LONGEST + plan.holds


def decide(view: View) -> Decision:
    """The next moves of one deployment InProgress. Deciding again on the result, with nothing new, changes nothing."""
    settled = [_settle(target, view) for target in view.targets]
    status = [_status_after(target, move) for target, move in zip(view.targets, settled, strict=True)]
    moves = [move for move in settled if move is not None]
    step, hold_until = view.step, view.hold_until

    stopping = view.is_stopping or view.is_late or _too_many_failures(view.plan, status)
    if not stopping:
        step, hold_until, fresh = _advance(view, status)
        moves += fresh
    ended = tuple(move for move in moves if isinstance(move, EndTarget))
    started = tuple(move for move in moves if isinstance(move, StartEvent))
    ends, error = _end(view, status, step, stopping)
    if ends is not None:
        ended += tuple(
            EndTarget(target=target.id, status=SKIPPED)
            for target, now in zip(view.targets, status, strict=True)
            if now is PENDING
        )
        hold_until = None
    return Decision(ended=ended, started=started, step=step, hold_until=hold_until, status=ends, error=error)


def _settle(target: TargetView, view: View) -> StartEvent | EndTarget | None:
    """What follows for a target whose lifecycle event has ended."""
    if target.status is not IN_PROGRESS or target.event_status is EventStatus.IN_PROGRESS:
        return None
    if target.event_status is EventStatus.SKIPPED:  # nobody is there who would run the others
        untouched = target.event == 0 and view.is_stopping
        return EndTarget(target=target.id, status=SKIPPED if untouched else FAILED)
    forgiven = view.ignore_application_stop_failures and view.events[target.event] in FORGIVEN
    if target.event_status is EventStatus.FAILED and not forgiven:
        return EndTarget(target=target.id, status=FAILED)
    if target.event + 1 == len(view.events):
        return EndTarget(target=target.id, status=SUCCEEDED)
    if view.is_stopping or view.is_late:
        return EndTarget(target=target.id, status=FAILED)  # half a deployment is not a healthy host
    return StartEvent(target=target.id, event=target.event + 1)


def _status_after(target: TargetView, move: StartEvent | EndTarget | None) -> TargetStatus:
    return move.status if isinstance(move, EndTarget) else target.status


def _too_many_failures(plan: RolloutPlan, status: Sequence[TargetStatus]) -> bool:
    failed = status.count(FAILED)
    if plan.max_failed is not None and failed > plan.max_failed:
        return True
    return (failed >= plan.window and PENDING in status) or _a_zone_is_down(plan, status)


def _a_zone_is_down(plan: RolloutPlan, status: Sequence[TargetStatus]) -> bool:
    for window, zone in _zones(plan, status):
        failed = zone.count(FAILED)
        if failed > window or (failed == window and PENDING in zone):
            return True
    return False


def _zones(plan: RolloutPlan, status: Sequence[TargetStatus]) -> Iterator[tuple[int, Sequence[TargetStatus]]]:
    """The batches that have a window of their own, each with its targets."""
    begin = 0
    for step in plan.steps:
        if isinstance(step, Batch):
            if step.window is not None:
                yield step.window, status[begin : begin + step.size]
            begin += step.size


def _advance(view: View, status: list[TargetStatus]) -> tuple[int, dt.datetime | None, list[StartEvent]]:
    """Walk on through the plan's steps as far as they allow; returns the place reached and the targets to start.

    Marks the started ones in *status*.
    """
    started: list[StartEvent] = []
    step, hold_until = view.step, view.hold_until
    go_on = view.continue_requested
    while step < len(view.plan.steps):
        current = view.plan.steps[step]
        if isinstance(current, Hold):
            hold_until = hold_until or view.now + current.duration
            if view.now < hold_until and not go_on:
                break
            hold_until, go_on = None, False
        else:
            released = sum(s.size for s in view.plan.steps[: step + 1] if isinstance(s, Batch))
            started += _start_within_window(view, status, released - current.size, current)
            if not all(now.is_terminal for now in status[:released]):
                break
        step += 1
    return step, hold_until, started


def _start_within_window(view: View, status: list[TargetStatus], begin: int, batch: Batch) -> list[StartEvent]:
    """Start what may begin of the *batch* that begins at target number *begin*, and of those before."""
    started: list[StartEvent] = []
    end = begin + batch.size
    all_failed, all_in_flight = status.count(FAILED), status.count(IN_PROGRESS)
    own = status[begin:end] if batch.window is not None else ()
    own_failed, own_in_flight = own.count(FAILED), own.count(IN_PROGRESS)
    for index, target in enumerate(view.targets[:end]):
        if status[index] is not PENDING:
            continue
        begun, counts = len(started), target.healthy  # one that is not healthy itself costs no capacity
        if all_in_flight + begun + (all_failed if counts else 0) >= view.plan.window:
            break
        if batch.window is not None and own_in_flight + begun + (own_failed if counts else 0) >= batch.window:
            break
        status[index] = IN_PROGRESS
        started.append(StartEvent(target=target.id, event=0))
    return started


def _end(
    view: View, status: Sequence[TargetStatus], step: int, stopping: bool
) -> tuple[DeploymentStatus | None, ErrorInformation | None]:
    """The terminal status, once nothing is in flight and nothing more may be or needs to be started."""
    if IN_PROGRESS in status:
        return None, None
    if (view.is_stopping or view.is_late) and _is_done(view, status, step):
        return DeploymentStatus.SUCCEEDED, None  # the stop came too late
    if view.stop_requested:
        return DeploymentStatus.STOPPED, ErrorInformation(code="MANUAL_STOP", message="stopped on request")
    if view.alarm is not None:
        return DeploymentStatus.STOPPED, view.alarm
    if view.is_late:
        return DeploymentStatus.FAILED, _late_error(view, status)
    if stopping:
        return DeploymentStatus.FAILED, _health_error(view, status)
    if step < len(view.plan.steps):
        return None, None
    if _enough(view, status):
        return DeploymentStatus.SUCCEEDED, None
    return DeploymentStatus.FAILED, _health_error(view, status)


def _is_done(view: View, status: Sequence[TargetStatus], step: int) -> bool:
    """Every target succeeded, and the step under way is the plan's last and no hold."""
    last = step == len(view.plan.steps) - 1 and isinstance(view.plan.steps[step], Batch)
    return last and all(now is SUCCEEDED for now in status)


def _enough(view: View, status: Sequence[TargetStatus]) -> bool:
    too_many = view.plan.max_failed is not None and status.count(FAILED) > view.plan.max_failed
    enough = status.count(SUCCEEDED) >= max(1, view.plan.minimum_healthy)
    return enough and not too_many and not _a_zone_is_down(view.plan, status)


def _late_error(view: View, status: Sequence[TargetStatus]) -> ErrorInformation:
    longest = LONGEST + view.plan.holds
    done = f"{status.count(SUCCEEDED)} of {len(status)} hosts are deployed to, {status.count(PENDING)} not touched"
    message = f"the deployment did not end within {longest.total_seconds() / 3600:g} hours; {done}"
    return ErrorInformation(code="TIMEOUT", message=message)


def _health_error(view: View, status: Sequence[TargetStatus]) -> ErrorInformation:
    failed = [target for target, now in zip(view.targets, status, strict=True) if now is FAILED]
    named = ", ".join(f"{target.id} in {view.events[target.event]}" for target in failed[:3])
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    untouched = status.count(PENDING)
    bound = (
        f"at most {view.plan.max_failed} may fail"
        if view.plan.max_failed is not None and len(failed) > view.plan.max_failed
        else f"{max(1, view.plan.minimum_healthy)} must be healthy"
    )
    rest = f"; {untouched} not touched" if untouched else ""
    return ErrorInformation(
        code="HEALTH_CONSTRAINTS",
        message=f"{len(failed)} of {len(status)} hosts failed ({named}{more}) and {bound}{rest}",
    )
