"""The decision, by the testable statements of the reference and case by case."""

from random import Random

import pytest
from rollout_simulation import EVENTS, Rollout, plan_of

from runner.model.deployment import DeploymentStatus
from runner.model.target import EventStatus, TargetStatus

SUCCEEDED, FAILED, STOPPED = DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED
LAST = len(EVENTS) - 1


def fails(*hosts: str, event: int = LAST):
    return lambda target, index: target in hosts and index == event


def rollout(total, minimum, failing=(), *, healthy=True, event=LAST, **plan):
    return Rollout(plan_of(total, minimum, **plan), [healthy] * total, fails(*failing, event=event))


def counts(run: Rollout) -> tuple[int, int, int]:
    return run.count(TargetStatus.SUCCEEDED), run.count(TargetStatus.FAILED), run.count(TargetStatus.SKIPPED)


def test_18_only_the_tenth_of_ten_fails_and_the_deployment_succeeds():
    run = rollout(10, 9, ["h009"])
    assert run.run() is SUCCEEDED
    assert counts(run) == (9, 1, 0)


def test_19_the_third_of_ten_fails_and_the_rest_is_skipped():
    run = rollout(10, 9, ["h002"])
    assert run.run() is FAILED
    assert (counts(run), run.error_code) == ((2, 1, 7), "HEALTH_CONSTRAINTS")


@pytest.mark.parametrize(("second", "status"), [("h009", SUCCEEDED), ("h005", FAILED)])
def test_20_min_8_of_10_forgives_a_second_failure_only_on_the_last(second, status):
    run = rollout(10, 8, ["h002", second])
    run.random = Random(1)
    assert run.run() is status


@pytest.mark.parametrize(("failing", "status"), [(4, SUCCEEDED), (5, FAILED)])
def test_21_all_at_once_needs_one_success(failing, status):
    run = rollout(5, 0, [f"h{n:03}" for n in range(failing)])
    assert run.run() is status


def test_22_half_at_a_time_never_has_more_than_four_of_nine_in_progress():
    run = rollout(9, 5)
    assert run.run() is SUCCEEDED
    assert run.most_in_flight == 4


def test_24_one_host_alone_must_succeed():
    run = rollout(1, 0, ["h000"])
    assert run.run() is FAILED


def test_26_unhealthy_hosts_cost_no_capacity():
    """Two of four were unhealthy and fail again under min 2: they are the window, and no healthy host is risked."""
    run = Rollout(plan_of(4, 2), [False, False, True, True], fails("h000", "h001"))
    assert run.run() is FAILED
    assert counts(run) == (0, 2, 2)


def test_31_a_failing_application_stop_fails_the_host_unless_it_is_forgiven():
    strict = rollout(1, 0, ["h000"], event=0)
    assert strict.run() is FAILED
    lenient = rollout(1, 0, ["h000"], event=0)
    lenient.view = type(lenient.view)(**{**_fields(lenient.view), "ignore_application_stop_failures": True})
    assert lenient.run() is SUCCEEDED


@pytest.mark.parametrize("event", ["BeforeBlockTraffic", "AfterBlockTraffic", "ApplicationStop"])
def test_scripts_of_the_revision_before_are_forgiven(event):
    lenient = rollout(1, 0, ["h000"], event=1)
    changed = {"ignore_application_stop_failures": True, "events": (EVENTS[0], event, *EVENTS[2:])}
    lenient.view = type(lenient.view)(**{**_fields(lenient.view), **changed})
    assert lenient.run() is SUCCEEDED


def test_32_only_application_stop_is_forgiven():
    run = rollout(1, 0, ["h000"], event=2)
    run.view = type(run.view)(**{**_fields(run.view), "ignore_application_stop_failures": True})
    assert run.run() is FAILED


def test_max_failed_stops_although_enough_are_healthy():
    run = rollout(10, 5, ["h000", "h001"], max_failed=1, sizes=[1] * 10)
    assert run.run() is FAILED
    assert counts(run) == (0, 2, 8)


def test_a_failure_beyond_max_failed_on_the_last_host_fails_too():
    run = rollout(2, 0, ["h001"], max_failed=0, sizes=[1, 1])
    assert run.run() is FAILED
    assert counts(run) == (1, 1, 0)


def test_a_batch_waits_for_all_of_the_one_before():
    run = rollout(5, 0, sizes=[2, 3])
    run.decide()
    run.end_event(run.in_flight()[0])
    run.decide()
    assert {target for target, _ in run.started} == {"h000", "h001"}


def test_a_hold_delays_the_next_batch():
    run = rollout(2, 0, sizes=[1, None, 1])
    while not run.view.hold_until:
        run.decide()
        for target in run.in_flight():
            run.end_event(target)
    assert {target for target, _ in run.started} == {"h000"}
    assert run.decide().started == ()
    run.pass_time()
    assert [start.target for start in run.decide().started] == ["h001"]


def test_continue_ends_a_hold_early_and_only_that_one():
    run = rollout(2, 0, sizes=[1, None, None, 1])
    while not run.view.hold_until:
        run.decide()
        for target in run.in_flight():
            run.end_event(target)
    run.view = type(run.view)(**{**_fields(run.view), "continue_requested": True})
    decision = run.decide()
    assert decision.step == 2
    assert decision.hold_until is not None
    assert decision.started == ()


def test_a_stop_lets_the_events_in_flight_end_and_starts_nothing():
    run = rollout(4, 2)
    run.decide()
    run.request_stop()
    assert run.decide().status is None
    for target in run.in_flight():
        run.end_event(target)
    assert run.decide().status is STOPPED
    assert counts(run) == (0, 2, 2)
    assert run.error_code == "MANUAL_STOP"


def test_a_stop_during_a_hold_is_immediate():
    run = rollout(2, 0, sizes=[1, None, 1])
    while not run.view.hold_until:
        run.decide()
        for target in run.in_flight():
            run.end_event(target)
    run.request_stop()
    assert run.decide().status is STOPPED


def test_a_stop_that_comes_after_the_last_event_changes_nothing():
    run = rollout(1, 0)
    run.decide()
    while run.view.targets[0].event < LAST or run.in_flight():
        run.end_event(run.view.targets[0])
        if run.view.targets[0].event == LAST:
            break
        run.decide()
    assert run.view.targets[0].event_status is EventStatus.SUCCEEDED
    run.request_stop()
    assert run.decide().status is SUCCEEDED


def test_hosts_in_flight_are_not_aborted_by_the_failure_of_others():
    run = Rollout(plan_of(6, 4), [True] * 6, fails("h000", "h001", event=0))
    run.decide()
    run.end_event(run.view.targets[0])
    assert run.decide().status is None
    assert run.view.targets[1].status is TargetStatus.IN_PROGRESS


def test_the_error_names_hosts_events_and_what_was_not_touched():
    run = rollout(10, 9, ["h002"])
    run.run()
    decision_error = run.decide().error
    assert decision_error.message == "1 of 10 hosts failed (h002 in ValidateService) and 9 must be healthy"


def _fields(view) -> dict[str, object]:
    return {name: getattr(view, name) for name in view.__struct_fields__}
