"""Zone by zone: order, batches, and what ends a rollout. Numbers as in the CodeDeploy user guide."""

import datetime as dt

import pytest

from runner.errors import HealthConstraintsInvalid
from runner.model.deployment import DeploymentStatus
from runner.model.rollout import MinimumHealthyHosts, Rollout, Zonal
from runner.model.target import EventStatus, InstanceHealth, TargetStatus
from runner.plan.batches import Batch, Hold, RolloutPlan, compile_rollout
from runner.plan.decide import TargetView, View, decide
from runner.plan.zones import zone_by_zone

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def zonal(minimum: int, per_zone: int, first: int = 0, monitor: int = 0) -> Rollout:
    return Rollout(
        name="zones",
        minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=minimum),
        zonal=Zonal(
            first_monitor=dt.timedelta(seconds=first),
            monitor=dt.timedelta(seconds=monitor),
            minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=per_zone),
        ),
    )


def started(plan: RolloutPlan, *, ended: dict[int, TargetStatus] | None = None) -> tuple[list[int], object]:
    """Indices of the targets that begin, and how it ends if it does; the targets in *ended* have."""
    views = tuple(
        TargetView(id=str(index), healthy=True, status=(ended or {}).get(index, TargetStatus.PENDING))
        for index in range(plan.total)
    )
    decision = decide(View(now=T0, events=("Install",), plan=plan, targets=views))
    return [int(move.target) for move in decision.started], decision.status


def test_a_zone_is_deployed_to_in_batches_that_keep_both_minima() -> None:
    plan = compile_rollout(zonal(160, 50), 200, [100, 100])
    assert plan.steps == (Batch(size=100, window=50), Batch(size=100, window=50))
    assert len(started(plan)[0]) == 40
    first_batch = dict.fromkeys(range(40), TargetStatus.SUCCEEDED)
    assert started(plan, ended=first_batch)[0] == list(range(40, 80))
    assert len(started(plan, ended=dict.fromkeys(range(80), TargetStatus.SUCCEEDED))[0]) == 20


def test_the_minimum_of_the_zone_bounds_where_it_is_the_stricter_one() -> None:
    plan = compile_rollout(zonal(0, 3), 10, [5, 5])
    assert started(plan)[0] == [0, 1]


def test_the_next_zone_begins_when_the_one_before_is_done() -> None:
    plan = compile_rollout(zonal(0, 0), 4, [2, 2])
    assert started(plan)[0] == [0, 1]
    assert started(plan, ended={0: TargetStatus.SUCCEEDED})[0] == [1]
    assert started(plan, ended=dict.fromkeys(range(2), TargetStatus.SUCCEEDED))[0] == [2, 3]


def test_a_zone_that_falls_below_its_minimum_fails_the_deployment_in_all_zones() -> None:
    plan = compile_rollout(zonal(0, 3), 10, [5, 5])
    begun, status = started(plan, ended={0: TargetStatus.FAILED, 1: TargetStatus.FAILED})
    assert (begun, status) == ([], DeploymentStatus.FAILED)


def test_the_first_zone_is_watched_for_a_time_of_its_own_and_the_last_not_at_all() -> None:
    steps = compile_rollout(zonal(0, 0, first=90, monitor=30), 6, [2, 2, 2]).steps
    holds = [step.duration.total_seconds() for step in steps if isinstance(step, Hold)]
    assert holds == [90, 30]
    assert isinstance(steps[-1], Batch)


def test_zones_follow_each_other_by_name_and_keep_the_order_inside() -> None:
    order = [InstanceHealth(target=name) for name in ("d", "a", "c", "b")]
    zones = {"a": "eu-west-1b", "b": "eu-west-1a", "c": "eu-west-1b", "d": "eu-west-1a"}
    arranged, sizes = zone_by_zone(order, zones, zonal(0, 0))
    assert [health.target for health in arranged] == ["d", "b", "a", "c"]
    assert sizes == [2, 2]
    assert zone_by_zone(order, zones, Rollout(name="not by zones")) == (order, [])


def test_a_zone_that_could_lose_no_host_is_refused_before_anything_begins() -> None:
    with pytest.raises(HealthConstraintsInvalid, match="minimumHealthyHostsPerZone"):
        compile_rollout(zonal(0, 2), 5, [3, 2])


def test_hosts_of_one_zone_that_are_under_way_count_against_the_zone() -> None:
    plan = compile_rollout(zonal(0, 3), 10, [5, 5])
    views = [TargetView(id=str(index), healthy=True, status=TargetStatus.PENDING) for index in range(10)]
    views[0] = TargetView(
        id="0", healthy=True, status=TargetStatus.IN_PROGRESS, event=0, event_status=EventStatus.IN_PROGRESS
    )
    decision = decide(View(now=T0, events=("Install",), plan=plan, targets=tuple(views)))
    assert [move.target for move in decision.started] == ["1"]
