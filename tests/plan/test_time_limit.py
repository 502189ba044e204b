"""The overall time limit of a deployment: nothing is started past it, nothing is killed, and it ends as Failed."""

import datetime as dt

import msgspec
from rollout_simulation import EVENTS, START, Rollout, plan_of

from runner.model.deployment import DeploymentStatus
from runner.model.target import TargetStatus
from runner.plan.decide import LONGEST, deadline

LAST = len(EVENTS) - 1


def late(rollout: Rollout) -> None:
    rollout.view = msgspec.structs.replace(rollout.view, now=deadline(START, rollout.plan))


def begun(total: int, minimum: int, **plan: object) -> Rollout:
    made = Rollout(plan_of(total, minimum, **plan), [True] * total, lambda target, event: False)
    made.view = msgspec.structs.replace(made.view, deadline=deadline(START, made.plan))
    return made


def test_it_is_12_hours_beside_the_holds():
    assert deadline(START, plan_of(2, 0)) - START == LONGEST == dt.timedelta(hours=12)
    held = plan_of(2, 0, sizes=(1, None, None, 1))
    assert deadline(START, held) - START == dt.timedelta(hours=12, minutes=2)


def test_before_it_a_deployment_goes_its_way():
    rollout = begun(3, 2)
    rollout.view = msgspec.structs.replace(rollout.view, now=deadline(START, rollout.plan) - dt.timedelta(seconds=1))
    assert rollout.run() is DeploymentStatus.SUCCEEDED


def test_past_it_the_event_under_way_may_end_and_nothing_is_started():
    rollout = begun(3, 2)
    rollout.decide()
    late(rollout)
    waiting = rollout.decide()
    assert (waiting.started, waiting.ended, waiting.status) == ((), (), None)
    for target in rollout.in_flight():
        rollout.end_event(target)
    decision = rollout.decide()
    assert (decision.status, decision.error and decision.error.code) == (DeploymentStatus.FAILED, "TIMEOUT")
    assert decision.error is not None
    assert decision.error.message == (
        "the deployment did not end within 12 hours; 0 of 3 hosts are deployed to, 2 not touched"
    )
    assert [rollout.count(status) for status in (TargetStatus.FAILED, TargetStatus.SKIPPED)] == [1, 2]


def test_a_deployment_that_is_done_by_then_has_succeeded():
    rollout = begun(1, 0)
    for event in range(len(EVENTS)):
        rollout.decide()
        (target,) = rollout.in_flight()
        assert target.event == event
        rollout.end_event(target)
    late(rollout)
    assert rollout.decide().status is DeploymentStatus.SUCCEEDED


def test_a_hold_does_not_outlast_it():
    rollout = begun(2, 0, sizes=(1, None, 1))
    for _ in EVENTS:
        rollout.decide()
        for target in rollout.in_flight():
            rollout.end_event(target)
    assert rollout.decide().hold_until is not None
    late(rollout)
    decision = rollout.decide()
    assert (decision.status, decision.hold_until) == (DeploymentStatus.FAILED, None)
