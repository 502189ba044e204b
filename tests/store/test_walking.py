"""Deployments to an ECS service in the store: each wait with all that may happen in it, its journal, whom it tells."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from store_cases import group, manifest
from traffic_rig import TrafficWorld

from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation
from runner.model.manifest import After, BlueGreen, Trigger
from runner.model.rollout import CheckStep, HoldStep, Rollout, ShiftStep
from runner.model.services import EcsState, ServiceSettings
from runner.model.target import EventStatus, TargetStatus
from runner.service import Service
from runner.store import tables as t

MINUTE = dt.timedelta(minutes=1)
ALARM = ErrorInformation(code="ALARM_ACTIVE", message="errors is in state ALARM")
EVERYTHING = Trigger(
    to="webhook:x",
    on=(
        "DeploymentStart",
        "DeploymentSuccess",
        "DeploymentFailure",
        "DeploymentStop",
        "DeploymentRollback",
        "DeploymentReady",
        "InstanceStart",
        "InstanceSuccess",
        "InstanceFailure",
        "InstanceReady",
    ),
)
WAITS = BlueGreen(ready_wait=10 * MINUTE, termination_wait=5 * MINUTE)
CANARY = (ShiftStep(percent=10), HoldStep(duration=5 * MINUTE), ShiftStep(percent=100))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TrafficWorld]:
    made = TrafficWorld(tmp_path)
    yield made
    made.store.close()


def deploy(world: TrafficWorld, *steps: Any, **settings: Any) -> str:
    wanted: dict[str, Any] = {
        "rollback_on": ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"),
        "service": ServiceSettings(cluster="main", name="web"),
        "rollout": Rollout(name="r", steps=steps or CANARY),
        "blue_green": WAITS,
        "triggers": (EVERYTHING,),
        **settings,
    }
    (made,) = world.push("1", manifest(group("web", tags={}, platform="ECS", **wanted), platform="ECS"))
    world.settle()
    return made


def comes_to(world: TrafficWorld, wait: str) -> str:
    """A deployment that is in that wait."""
    made = deploy(world)
    for _ in range({"ready": 0, "hold": 1, "termination": 2}[wait]):
        world.store.request_continue(made, world.now)
        world.settle()
    assert world.store.deployment(made).wait == wait
    return made


def target(world: TrafficWorld, made: str) -> tuple[TargetStatus, dict[str, EventStatus]]:
    (found,) = world.store.targets(made)
    return found.status, {event.name: event.status for event in found.lifecycle_events}


def rollback_of(world: TrafficWorld, ended: Deployment) -> Deployment:
    assert ended.rollback is not None and ended.rollback.rollback_deployment_id
    return world.store.deployment(ended.rollback.rollback_deployment_id)


def told(world: TrafficWorld, made: str) -> list[str]:
    return [event for event, _ in letters(world, made)]


def letters(world: TrafficWorld, made: str) -> list[tuple[str, dict[str, str]]]:
    """Events and bodies of all that was written about it."""
    o = t.outbox.c
    with world.store._db.read() as tx:
        rows = tx.execute(sa.select(o.event, o.body).where(o.deployment_id == made).order_by(o.id))
        return [(row.event, row.body) for row in rows]


def test_who_subscribes_is_told_that_the_replacement_waits_for_its_traffic(world: TrafficWorld) -> None:
    made = comes_to(world, "ready")
    assert world.store.deployment(made).status is DeploymentStatus.READY
    assert target(world, made)[0] is TargetStatus.READY
    assert told(world, made) == ["DeploymentStart", "InstanceStart", "InstanceReady", "DeploymentReady"]
    world.tick(60)
    world.settle()
    assert told(world, made).count("DeploymentReady") == 1


def test_a_target_succeeds_when_it_has_the_traffic_and_the_original_is_still_to_be_ended(world: TrafficWorld) -> None:
    made = comes_to(world, "termination")
    assert told(world, made)[-1] == "InstanceSuccess"
    status, events = target(world, made)
    assert (status, events["Terminate"]) == (TargetStatus.SUCCEEDED, EventStatus.PENDING)
    world.wait(minutes=5)
    assert world.store.deployment(made).status is DeploymentStatus.SUCCEEDED
    assert target(world, made)[1]["Terminate"] is EventStatus.SUCCEEDED
    assert told(world, made)[-1] == "DeploymentSuccess"


def test_each_wait_is_in_the_journal_and_who_ended_it(world: TrafficWorld) -> None:
    made = comes_to(world, "termination")
    world.wait(minutes=5)
    waits = ("ready", "hold", "termination")
    kinds = [each for each in world.store.journal(made) if each.kind.partition(" ")[0] in waits]
    assert [each.kind for each in kinds] == [f"{wait} {what}" for wait in waits for what in ("started", "ended")]
    assert [each.details.get("continued_on_request") for each in kinds[1::2]] == [True, True, None]


@pytest.mark.parametrize("wait", ["ready", "hold", "termination"])
@pytest.mark.parametrize("why", ["stop", "alarm"])
def test_what_stops_a_deployment_in_a_wait_rolls_it_back(world: TrafficWorld, wait: str, why: str) -> None:
    made = comes_to(world, wait)
    if why == "stop":
        world.store.request_stop(made, world.now, rollback=None)
    else:
        assert world.store.watch.failed(made, ALARM, world.now)
    world.settle()
    ended = world.store.deployment(made)
    assert ended.status is DeploymentStatus.STOPPED
    assert ended.error is not None and ended.error.code == {"stop": "MANUAL_STOP", "alarm": "ALARM_ACTIVE"}[why]
    succeeded = wait == "termination"
    status, events = target(world, made)
    assert status is (TargetStatus.SUCCEEDED if succeeded else TargetStatus.FAILED)
    assert events["Terminate"] is EventStatus.SKIPPED
    back = rollback_of(world, ended)
    assert back.status is DeploymentStatus.SUCCEEDED
    assert target(world, back.id)[1] == {
        "AllowTraffic": EventStatus.SUCCEEDED,
        "Terminate": EventStatus.SUCCEEDED,
    }
    (given_back,) = world.store.targets(back.id)
    assert isinstance(given_back.state, EcsState)
    assert (given_back.state.weight, given_back.state.replacement) == (0, None)
    assert world.store.last_successful("shop", "web") is None


def test_a_wait_for_traffic_that_nobody_ends_stops_the_deployment_at_its_time(world: TrafficWorld) -> None:
    made = comes_to(world, "ready")
    world.wait(minutes=9, seconds=59)
    assert world.store.deployment(made).status is DeploymentStatus.READY
    world.wait(seconds=1)
    ended = world.store.deployment(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.STOPPED, "TIMEOUT")
    assert ended.rollback is None  # nobody has asked for the stop, and no alarm has
    (failure, about), (stop, _) = letters(world, made)[-2:]
    assert (failure, stop) == ("InstanceFailure", "DeploymentStop")
    (last,) = (each for each in json.loads(about["lifecycleEvents"]) if each["LifecycleEvent"] == "AfterAllowTraffic")
    assert last["LifecycleEventStatus"] == "Skipped"


def test_a_failure_before_anything_was_made_is_rolled_back_all_the_same(world: TrafficWorld) -> None:
    """What was done before a crash may not be known."""
    world.breaks = lambda act: act.task.act.event == "BeforeInstall"
    ended = world.store.deployment(deploy(world))
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.FAILED, "ECS_UPDATE_ERROR")
    assert rollback_of(world, ended).status is DeploymentStatus.SUCCEEDED


def test_a_check_behind_the_last_shift_fails_a_deployment_whose_target_has_succeeded(world: TrafficWorld) -> None:
    world.breaks = lambda act: act.task.act.event == "Check"
    made = deploy(world, ShiftStep(percent=100), CheckStep(checks=("smoke",)), blue_green=BlueGreen())
    ended = world.store.deployment(made)
    status, events = target(world, made)
    assert (ended.status, status) == (DeploymentStatus.FAILED, TargetStatus.SUCCEEDED)
    assert (events["AllowTraffic"], events["Check"]) == (EventStatus.SUCCEEDED, EventStatus.FAILED)
    assert rollback_of(world, ended).status is DeploymentStatus.SUCCEEDED


def test_a_replacement_that_serves_stays_although_the_original_could_not_be_ended(world: TrafficWorld) -> None:
    world.breaks = lambda act: act.task.act.event == "Terminate"
    made = deploy(world, ShiftStep(percent=100), blue_green=BlueGreen())
    ended = world.store.deployment(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.FAILED, "ECS_UPDATE_ERROR")
    assert target(world, made)[0] is TargetStatus.SUCCEEDED
    assert ended.rollback is None


def test_two_waits_in_a_row_are_ended_one_at_a_time(world: TrafficWorld) -> None:
    made = deploy(world, HoldStep(duration=MINUTE), ShiftStep(percent=100))
    for wait in ("hold", "ready", "termination"):
        assert world.store.deployment(made).wait == wait
        world.store.request_continue(made, world.now)
        world.settle()
    assert world.store.deployment(made).status is DeploymentStatus.SUCCEEDED


def test_a_deployment_past_its_deadline_waits_for_no_hold(world: TrafficWorld) -> None:
    made = comes_to(world, "hold")
    world.now += dt.timedelta(hours=13)
    world.settle()
    ended = world.store.deployment(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.FAILED, "TIMEOUT")
    assert target(world, made)[1]["AllowTraffic"] is EventStatus.FAILED
    assert rollback_of(world, ended).status is DeploymentStatus.SUCCEEDED


def test_whatever_is_lost_in_a_crash_is_given_again_and_whatever_comes_twice_changes_nothing(
    world: TrafficWorld,
) -> None:
    steps = (ShiftStep(percent=10), CheckStep(checks=()), ShiftStep(percent=100))
    settings = {"service": ServiceSettings(cluster="main", name="web"), "rollout": Rollout(name="r", steps=steps)}
    (made,) = world.push("1", manifest(group("web", tags={}, platform="ECS", **settings), platform="ECS"))
    assert world.store.events(made) == ()
    actions, drains = world.step([]), False
    while actions:
        assert world.store.in_flight() == actions
        results = [world.result(action) for action in actions]
        actions = list(world.store.advance(results, world.now, draining=drains).actions)
        if drains:  # what was recorded by a process that ends is gone on with by the next
            assert (actions, world.store.in_flight()) == ([], [])
            actions = world.step([])
        assert world.step([], results) == []
        drains = not drains
    assert world.store.deployment(made).status is DeploymentStatus.SUCCEEDED
    assert [weight for _, weight in world.shifts] == [10, 100]
    assert world.store.events(made)[-1] == "Terminate"


def test_what_was_given_back_before_it_had_baked_is_not_deployed_to_the_next_group(world: TrafficWorld) -> None:
    half_an_hour = After(group="staging", bake=30 * MINUTE)
    live = Rollout(name="r", steps=(ShiftStep(percent=100),))
    groups = [
        group(name, tags={}, platform="Lambda", rollout=live, after=after)
        for name, after in (("staging", None), ("production", half_an_hour))
    ]
    staging, production = world.push("1", manifest(*groups, platform="Lambda"))
    world.settle()
    assert Service(world.store, lambda: (), lambda: world.now).roll_back(staging)
    world.settle()
    world.tick(1801)
    world.settle()
    ended = world.store.deployment(production)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.STOPPED, "SUPERSEDED")
    assert world.store.last_successful("shop", "staging") is None
