"""How a program goes on: `walk`, step by step, on a clock of the test's own."""

import datetime as dt

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.program import Act, Program, Step, Wait
from runner.model.target import EventStatus, TargetStatus
from runner.plan.walk import Move, WalkView, deadline, target_status, walk

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
ALARM = ErrorInformation(code="ALARM_ACTIVE", message="errors is in ALARM")

CANARY = Program(
    configuration="canary",
    steps=(
        Act(event="BeforeAllowTraffic"),
        Act(event="AllowTraffic", weight=10),
        Wait(kind="hold", duration=5 * MINUTE),
        Act(event="AllowTraffic", weight=100),
        Act(event="AfterAllowTraffic"),
        Wait(kind="termination", duration=MINUTE),
        Act(event="Terminate"),
    ),
    serving=5,
)
READY = Program(
    configuration="ready",
    steps=(Wait(kind="ready", duration=MINUTE, expires="stop"), Act(event="AllowTraffic", weight=100)),
    serving=2,
)


def view(**given: object) -> WalkView:
    values = {"now": T0, "program": CANARY, "deadline": deadline(T0, CANARY), **given}
    return WalkView(**values)  # type: ignore[arg-type]


def at(step: int, act: EventStatus = EventStatus.PENDING, **given: object) -> Move:
    return walk(view(step=step, act=act, **given))


def test_the_first_act_begins() -> None:
    assert at(0) == Move(step=0, start=True)


def test_nothing_happens_while_an_act_is_under_way() -> None:
    assert at(1, EventStatus.IN_PROGRESS) == Move(step=1)
    assert at(1, EventStatus.IN_PROGRESS, stop_requested=True) == Move(step=1)
    assert at(1, EventStatus.IN_PROGRESS, alarm=ALARM) == Move(step=1)


def test_a_hold_ends_when_its_time_has_come_and_not_before() -> None:
    held = at(1, EventStatus.SUCCEEDED)
    assert held == Move(step=2, wait="hold", hold_until=T0 + 5 * MINUTE)
    almost = T0 + 5 * MINUTE - dt.timedelta(microseconds=1)
    assert at(2, hold_until=held.hold_until, now=almost) == held
    assert at(2, hold_until=held.hold_until, now=T0 + 5 * MINUTE) == Move(step=3, start=True)


def test_somebody_may_cut_a_hold_short() -> None:
    assert at(2, hold_until=T0 + MINUTE, continue_requested=True) == Move(step=3, start=True)


def test_a_failed_act_ends_the_deployment_with_its_own_error() -> None:
    error = ErrorInformation(code="HOOK_EXECUTION_FAILURE", message="it said no")
    assert at(0, EventStatus.FAILED, failure=error) == Move(step=0, status=DeploymentStatus.FAILED, error=error)


def test_a_stop_begins_nothing_further() -> None:
    stopped = at(1, EventStatus.SUCCEEDED, stop_requested=True)
    assert (stopped.status, stopped.start) == (DeploymentStatus.STOPPED, False)
    assert stopped.error == ErrorInformation(code="MANUAL_STOP", message="stopped on request")


def test_an_alarm_stops_also_a_hold() -> None:
    assert at(2, hold_until=T0 + MINUTE, alarm=ALARM) == Move(step=2, status=DeploymentStatus.STOPPED, error=ALARM)


def test_a_hook_is_waited_for_no_longer_once_the_deployment_is_stopped() -> None:
    stopped = at(0, EventStatus.IN_PROGRESS, is_hook=True, stop_requested=True)
    assert (stopped.abandon, stopped.status) == (True, DeploymentStatus.STOPPED)


def test_a_stop_that_comes_after_the_last_act_comes_too_late() -> None:
    assert at(6, EventStatus.SUCCEEDED, stop_requested=True).status is DeploymentStatus.SUCCEEDED


def test_a_stop_in_the_wait_for_termination_keeps_the_original_and_the_target_has_succeeded() -> None:
    move = at(5, hold_until=T0 + MINUTE, stop_requested=True)
    assert (move.step, move.start, move.status) == (5, False, DeploymentStatus.STOPPED)
    assert target_status(CANARY, move, begun=True) is TargetStatus.SUCCEEDED


def test_an_expired_wait_for_traffic_stops_the_deployment_and_does_not_fail_it() -> None:
    waiting = walk(view(program=READY))
    assert waiting == Move(step=0, wait="ready", hold_until=T0 + MINUTE)
    assert target_status(READY, waiting, begun=True) is TargetStatus.READY
    expired = walk(view(program=READY, hold_until=T0 + MINUTE, now=T0 + MINUTE))
    assert expired.status is DeploymentStatus.STOPPED
    assert expired.error is not None and "timed out while waiting for a notification" in expired.error.message
    assert walk(view(program=READY, hold_until=T0 + MINUTE, continue_requested=True)) == Move(step=1, start=True)


def test_a_deployment_that_takes_too_long_fails_and_says_where_it_was() -> None:
    late = at(2, hold_until=T0 + 5 * MINUTE, now=deadline(T0, CANARY))
    assert late.status is DeploymentStatus.FAILED
    assert late.error is not None and late.error.code == "TIMEOUT" and "the hold wait" in late.error.message


def test_a_deployment_that_was_stopped_before_its_first_act_skips_its_target() -> None:
    move = at(0, stop_requested=True)
    assert target_status(CANARY, move, begun=False) is TargetStatus.SKIPPED


acts = st.builds(Act, event=st.sampled_from(["A", "B", "C"]), weight=st.none())
waits = st.builds(
    Wait,
    kind=st.sampled_from(["hold", "ready", "termination"]),
    duration=st.integers(0, 5).map(lambda minutes: minutes * MINUTE),
    expires=st.sampled_from(["continue", "stop"]),
)
programs = st.lists(st.one_of(acts, waits), min_size=1, max_size=8).flatmap(
    lambda steps: st.builds(
        Program, configuration=st.just("x"), steps=st.just(tuple(steps)), serving=st.integers(0, len(steps))
    )
)
happenings = st.lists(st.sampled_from(["ok", "fail", "stop", "alarm", "continue", "time"]), max_size=40)


@given(programs, happenings)
def test_every_program_ends_does_its_acts_in_order_and_begins_nothing_after_a_stop(
    program: Program, happenings: list[str]
) -> None:
    begun: list[Step] = []
    now = view(program=program, deadline=deadline(T0, program))
    stopped_at: int | None = None
    for happening in [*happenings, *(["ok", "time"] * 20)]:
        move = walk(now)
        if move.start:
            begun.append(program.steps[move.step])
        if move.status is not None:
            break
        act = EventStatus.IN_PROGRESS if move.start else now.act if move.step == now.step else EventStatus.PENDING
        now = msgspec.structs.replace(
            now, step=move.step, act=act, hold_until=move.hold_until, continue_requested=False
        )
        assert walk(now).start is False, "walking again on the result begins nothing"
        now, stopped_at = happens(now, happening, begun, stopped_at)
    assert move.status is not None
    assert begun == [step for step in program.steps if isinstance(step, Act)][: len(begun)]
    if stopped_at is not None:
        assert len(begun) == stopped_at
    if move.status is DeploymentStatus.SUCCEEDED:
        assert len(begun) == len([step for step in program.steps if isinstance(step, Act)])


def happens(now: WalkView, what: str, begun: list[Step], stopped_at: int | None) -> tuple[WalkView, int | None]:
    change = msgspec.structs.replace
    match what:
        case "ok" if now.act is EventStatus.IN_PROGRESS:
            now = change(now, act=EventStatus.SUCCEEDED)
        case "fail" if now.act is EventStatus.IN_PROGRESS:
            error = ErrorInformation(code="ECS_UPDATE_ERROR", message="no")
            now = change(now, act=EventStatus.FAILED, failure=error)
        case "stop" | "alarm":
            now = change(now, stop_requested=True) if what == "stop" else change(now, alarm=ALARM)
            stopped_at = len(begun) if stopped_at is None else stopped_at
        case "continue":
            now = change(now, continue_requested=True)
        case "time":
            now = change(now, now=now.now + 10 * MINUTE)
    return now, stopped_at
