"""Thousands of generated rollouts: random fleets, steps, failures, stops and crashes. The simulation checks every promise:

never more hosts out of service than allowed, never a host or an event twice, no step after a stop, hosts never reached
are Skipped, and every rollout ends.
"""

from random import Random

import pytest
from generated import cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollout_simulation import EVENTS, Rollout, plan_of

from runner.model.deployment import DeploymentStatus
from runner.model.target import TargetStatus


@st.composite
def rollouts(draw: st.DrawFn) -> tuple[Rollout, int | None]:
    total = draw(st.integers(1, 12))
    minimum = draw(st.integers(0, total - 1))
    max_failed = draw(st.none() | st.integers(0, 3))
    sizes: list[int | None] = []
    left = total
    while left:
        if draw(st.integers(0, 3)) == 0:
            sizes.append(None)
        size = draw(st.integers(1, left))
        sizes.append(size)
        left -= size
    seed = draw(st.integers(0, 2**32))
    likely = draw(st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]))
    bad = Random(seed)
    failures = {
        (f"h{host:03}", event) for host in range(total) for event in range(len(EVENTS)) if bad.random() < likely
    }
    unhealthy = draw(st.integers(0, total))
    run = Rollout(
        plan_of(total, minimum, max_failed=max_failed, sizes=draw(st.sampled_from([(), sizes]))),
        [False] * unhealthy + [True] * (total - unhealthy),
        lambda target, event: (target, event) in failures,
        Random(seed),
        ignore_stop_failures=draw(st.booleans()),
    )
    return run, draw(st.none() | st.integers(0, total * len(EVENTS)))


@pytest.mark.generated
@settings(max_examples=cases(10_000), deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(case=rollouts(), crash=st.booleans())
def test_every_rollout_keeps_every_promise(case: tuple[Rollout, int | None], crash: bool) -> None:
    run, stop_after = case
    status = run.run(stop_after=stop_after, crash=crash)
    succeeded, failed = run.count(TargetStatus.SUCCEEDED), run.count(TargetStatus.FAILED)
    skipped = run.count(TargetStatus.SKIPPED)
    assert succeeded + failed + skipped == run.plan.total, "the counters add up"
    over = run.plan.max_failed is not None and failed > run.plan.max_failed
    if status is DeploymentStatus.SUCCEEDED:
        assert succeeded >= max(1, run.plan.minimum_healthy)
        assert not over
        assert skipped == 0
    if status is DeploymentStatus.FAILED:
        assert over or succeeded < max(1, run.plan.minimum_healthy) or failed >= run.plan.window
    if status is DeploymentStatus.STOPPED:
        assert run.stopped_at is not None
