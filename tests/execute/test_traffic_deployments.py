"""Deployments whose traffic moves, through the store and the driver: a fake function, a clock of the test's own."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driven import Driven
from fakes.platform import FakePlatform
from fakes.traffic_platform import FakeTrafficPlatform
from store_cases import T0, group, manifest
from waiting import until

from runner.errors import Refused, UserError
from runner.execute.driver import Driver
from runner.execute.prepare import failure
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation, Options
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import TrafficJob
from runner.model.revision import AppSpecRevision
from runner.model.rollout import CheckStep, HoldStep, Rollout, ShiftStep
from runner.model.target import EventStatus, TargetStatus
from runner.model.work import PreparationFailed, Prepare, PreparedTraffic, Wish
from runner.service import Service

MINUTE = dt.timedelta(minutes=1)
CANARY = Rollout(
    name="CodeDeployDefault.LambdaCanary10Percent5Minutes",
    steps=(ShiftStep(percent=10), HoldStep(duration=5 * MINUTE), ShiftStep(percent=100)),
)
CHECKED = Rollout(
    name="checked",
    steps=(
        ShiftStep(percent=10),
        CheckStep(checks=("smoke",)),
        ShiftStep(percent=50),
        CheckStep(checks=("smoke",)),
        ShiftStep(percent=100),
    ),
)
AT_ONCE = Rollout(name="CodeDeployDefault.LambdaAllAtOnce", steps=(ShiftStep(percent=100),))
WHOLE = ["BeforeAllowTraffic", "AllowTraffic", "AllowTraffic", "AfterAllowTraffic"]


class World(Driven):
    """One function."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.traffic = FakeTrafficPlatform()
        self.hooks: dict[str, str] = {}
        self._number = 0

    def deploy(self, rollout: Rollout = CANARY, **settings: Any) -> str:
        self._number += 1
        one = manifest(group("live", rollout=rollout, platform="Lambda", **settings), platform="Lambda")
        appspec = AppSpecRevision(content=f"version {self._number}", sha256=f"{self._number:064x}")
        wish = Wish(manifest=one, revision=appspec)
        return self.store.create_releases("shop", [wish], "user", Options(), self.time)[0]

    def _prepare(self, action: Prepare) -> PreparedTraffic | PreparationFailed:
        deployment, undoing = action.deployment, action.undoing
        spec = LambdaSpec(function="resize", alias="live", current_version="1", target_version="2", hooks=self.hooks)
        job = TrafficJob(
            deployment_id=deployment.id,
            application="shop",
            group="live",
            group_id=deployment.group_id,
            place=deployment.settings.place,
            spec=undoing.spec if undoing else spec,
            restoring=undoing.state if undoing else None,
        )
        try:
            target, state = self.traffic.inspect(job)
        except Refused as error:
            return PreparationFailed(deployment_id=deployment.id, error=failure(error))
        return PreparedTraffic(deployment_id=deployment.id, target=target, spec=job.spec, state=state)

    def new_driver(self) -> Driver:
        return Driver(self.store, FakePlatform(), self.traffic, self._prepare, self.logs, lambda: self.time)

    async def holds(self, deployment_id: str) -> Deployment:
        return await self.comes_to(deployment_id, lambda each: each.wait == "hold")

    def events(self, deployment_id: str) -> dict[str, EventStatus]:
        (target,) = self.store.targets(deployment_id)
        return {event.name: event.status for event in target.lifecycle_events}

    def weights(self, deployment_id: str) -> list[int | None]:
        return [weight for of, event, weight in self.traffic.done if of == deployment_id and event == "AllowTraffic"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


async def test_a_canary_holds_for_its_five_minutes_and_then_moves_the_rest(world: World) -> None:
    made = world.deploy()
    async with world.driven():
        held = await world.holds(made)
        assert held.waiting_until == T0 + 5 * MINUTE
        assert world.weights(made) == [10]
        assert world.events(made)["AllowTraffic"] is EventStatus.IN_PROGRESS
        world.later(5 * MINUTE - dt.timedelta(seconds=1))
        await asyncio.sleep(0.1)
        assert world.weights(made) == [10]
        world.later(dt.timedelta(seconds=1))
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert [event for _, event, _ in world.traffic.done] == WHOLE
    assert world.weights(made) == [10, 100]
    (target,) = world.store.targets(made)
    assert (target.id, target.status) == ("resize", TargetStatus.SUCCEEDED)
    assert isinstance(target.state, LambdaState) and target.state.weight == 100
    shifted = [entry.details["weight"] for entry in world.store.journal(made) if entry.kind == "traffic shifted"]
    assert shifted == [10, 100]
    assert world.logs.read(made, "resize").splitlines() == [f"{event} done" for event in WHOLE]
    assert world.store.last_successful("shop", "live") == ended


async def test_a_driver_that_comes_later_goes_on_at_the_weight_that_was_reached(world: World) -> None:
    made = world.deploy()
    async with world.driven():
        await world.holds(made)
    world.later(dt.timedelta(hours=3))
    async with world.driven():
        assert (await world.ends(made)).status is DeploymentStatus.SUCCEEDED
    assert world.weights(made) == [10, 100]


async def test_an_act_that_was_broken_off_is_done_by_the_next_driver(world: World) -> None:
    world.traffic.held.add("AllowTraffic")
    made = world.deploy(AT_ONCE)
    async with world.driven():
        await until(lambda: "AllowTraffic" in world.traffic.begun)
    assert world.traffic.cancelled == ["AllowTraffic"]
    world.traffic.let_go("AllowTraffic")
    async with world.driven():
        assert (await world.ends(made)).status is DeploymentStatus.SUCCEEDED
    assert world.weights(made) == [100]


async def test_a_failed_act_fails_the_deployment_with_the_code_of_the_platform(world: World) -> None:
    world.traffic.failing["BeforeAllowTraffic"] = "HOOK_EXECUTION_FAILURE"
    made = world.deploy()
    async with world.driven():
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.FAILED
    assert ended.error == ErrorInformation(
        code="HOOK_EXECUTION_FAILURE", message="BeforeAllowTraffic: BeforeAllowTraffic does not work"
    )
    assert world.events(made) == {
        "BeforeAllowTraffic": EventStatus.FAILED,
        "AllowTraffic": EventStatus.SKIPPED,
        "AfterAllowTraffic": EventStatus.SKIPPED,
    }
    assert ended.overview.Failed == 1


async def test_what_is_not_fit_fails_before_anything_is_done(world: World) -> None:
    def unfit(job: TrafficJob) -> None:
        raise Refused("INVALID_LAMBDA_CONFIGURATION", "the alias has two versions")

    world.traffic.inspecting = unfit
    made = world.deploy()
    async with world.driven():
        ended = await world.ends(made)
    assert ended.error == ErrorInformation(code="INVALID_LAMBDA_CONFIGURATION", message="the alias has two versions")
    assert world.traffic.done == []
    assert world.store.targets(made) == []


async def test_a_stop_in_a_hold_leaves_the_traffic_as_it_is(world: World) -> None:
    made = world.deploy()
    async with world.driven():
        await world.holds(made)
        world.store.request_stop(made, world.time, rollback=None)
        ended = await world.ends(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.STOPPED, "MANUAL_STOP")
    assert ended.rollback is None
    assert world.weights(made) == [10]
    assert world.events(made)["AllowTraffic"] is EventStatus.FAILED


async def test_a_stop_does_not_wait_for_the_status_of_a_hook(world: World) -> None:
    world.hooks = {"BeforeAllowTraffic": "validate"}
    world.traffic.held.add("BeforeAllowTraffic")
    made = world.deploy()
    async with world.driven():
        await until(lambda: "BeforeAllowTraffic" in world.traffic.begun)
        world.store.request_stop(made, world.time, rollback=None)
        ended = await world.ends(made)
        await until(lambda: world.traffic.cancelled == ["BeforeAllowTraffic"])
    assert ended.status is DeploymentStatus.STOPPED
    assert world.traffic.done == []


async def test_a_rollback_gives_the_alias_back_also_where_nothing_had_succeeded_before(world: World) -> None:
    world.traffic.failing["AfterAllowTraffic"] = "HOOK_EXECUTION_FAILURE"
    made = world.deploy(AT_ONCE, rollback_on=("DEPLOYMENT_FAILURE",))
    async with world.driven():
        failed = await world.ends(made)
        assert failed.rollback is not None and failed.rollback.rollback_deployment_id
        back = await world.ends(failed.rollback.rollback_deployment_id)
    assert (back.status, back.creator) == (DeploymentStatus.SUCCEEDED, "codeDeployRollback")
    assert [event for of, event, _ in world.traffic.done if of == back.id] == ["AllowTraffic"]
    assert world.store.last_successful("shop", "live") is None


async def test_a_rollback_carries_the_last_successful_revision_and_is_the_last_success_then(world: World) -> None:
    first = world.deploy(AT_ONCE)
    async with world.driven():
        good = await world.ends(first)
        world.traffic.failing["AfterAllowTraffic"] = "HOOK_EXECUTION_FAILURE"
        failed = await world.ends(world.deploy(AT_ONCE, rollback_on=("DEPLOYMENT_FAILURE",)))
        assert failed.rollback is not None and failed.rollback.rollback_deployment_id
        back = await world.ends(failed.rollback.rollback_deployment_id)
    assert back.revision == good.revision
    assert world.store.last_successful("shop", "live") == back


async def test_a_rollback_that_is_cut_off_is_finished_by_the_next_driver(world: World) -> None:
    world.traffic.failing["AfterAllowTraffic"] = "HOOK_EXECUTION_FAILURE"
    made = world.deploy(AT_ONCE, rollback_on=("DEPLOYMENT_FAILURE",))
    async with world.driven():
        failed = await world.ends(made)
        world.traffic.held.add("AllowTraffic")
        assert failed.rollback is not None and failed.rollback.rollback_deployment_id
        back = failed.rollback.rollback_deployment_id
    world.traffic.let_go("AllowTraffic")
    async with world.driven():
        assert (await world.ends(back)).status is DeploymentStatus.SUCCEEDED
    assert world.weights(back) == [100]


async def test_while_one_is_under_way_the_next_of_its_group_waits(world: World) -> None:
    first = world.deploy()
    async with world.driven():
        await world.holds(first)
        second = world.deploy(AT_ONCE)
        await world.comes_to(second, lambda each: each.waiting_for == f"{first} to finish")
        world.store.request_continue(first, world.time)
        assert (await world.ends(first)).status is DeploymentStatus.SUCCEEDED
        assert (await world.ends(second)).status is DeploymentStatus.SUCCEEDED
    assert world.weights(first) == [10, 100]


async def test_what_was_stopped_half_way_is_given_back_by_hand(world: World) -> None:
    made = world.deploy()
    async with world.driven():
        await world.holds(made)
        world.store.request_stop(made, world.time, rollback=False)
        await world.ends(made)
        service = Service(world.store, lambda: (), lambda: world.time, ())
        by_hand = service.roll_back(made)
        assert by_hand is not None
        back = await world.ends(by_hand)
    assert (back.status, back.creator) == (DeploymentStatus.SUCCEEDED, "user")
    assert back.rollback is not None and back.rollback.rollback_triggering_deployment_id == made
    assert [event for of, event, _ in world.traffic.done if of == back.id] == ["AllowTraffic"]


async def test_an_alarm_stops_a_deployment_and_rolls_it_back_only_where_that_was_asked_for(world: World) -> None:
    for events, rolled_back in ((("DEPLOYMENT_FAILURE",), False), (("DEPLOYMENT_STOP_ON_ALARM",), True)):
        made = world.deploy(rollback_on=events)
        async with world.driven():
            await world.holds(made)
            alarm = ErrorInformation(code="ALARM_ACTIVE", message="errors is in state ALARM")
            world.store.watch.failed(made, alarm, world.time)
            ended = await world.ends(made)
            assert (ended.status, ended.error) == (DeploymentStatus.STOPPED, alarm)
            assert (ended.rollback is not None) is rolled_back
            if ended.rollback and ended.rollback.rollback_deployment_id:
                await world.ends(ended.rollback.rollback_deployment_id)


async def test_what_is_checked_between_two_moves_of_traffic_leaves_them_one_event(world: World) -> None:
    world.traffic.held.add("Check")
    made = world.deploy(CHECKED)
    async with world.driven():
        await until(lambda: "Check" in world.traffic.begun)
        events = world.events(made)
        assert (events["AllowTraffic"], events["Check"]) == (EventStatus.IN_PROGRESS, EventStatus.IN_PROGRESS)
        world.traffic.let_go("Check")
        assert (await world.ends(made)).status is DeploymentStatus.SUCCEEDED
    assert world.weights(made) == [10, 50, 100]
    attempts = [(entry.lifecycle_event, entry.attempt) for entry in world.store.journal(made) if entry.attempt]
    assert attempts == [
        *[("BeforeAllowTraffic", 1)] * 2,
        *[("AllowTraffic", 1)] * 2,  # begun, and the first move
        *[("Check", 1)] * 2,
        ("AllowTraffic", 2),
        *[("Check", 2)] * 2,
        *[("AllowTraffic", 3)] * 2,  # the last move, and ended
        *[("AfterAllowTraffic", 1)] * 2,
    ]
    events_said = world.logs.read(made, "resize").splitlines()
    assert (events_said.count("AllowTraffic done"), events_said.count("Check done")) == (3, 2)


async def test_a_check_that_fails_between_two_moves_ends_both_events_each_with_its_own_reason(world: World) -> None:
    world.traffic.failing["Check"] = "CUSTOMER_APPLICATION_UNHEALTHY"
    made = world.deploy(CHECKED)
    async with world.driven():
        ended = await world.ends(made)
    assert ended.error is not None and ended.error.code == "CUSTOMER_APPLICATION_UNHEALTHY"
    (target,) = world.store.targets(made)
    why = {event.name: event.diagnostics.message for event in target.lifecycle_events if event.diagnostics}
    assert (why["Check"], why["AllowTraffic"]) == (
        "Check does not work",
        "The deployment ended before all of the traffic was moved.",
    )
    assert world.events(made)["AllowTraffic"] is EventStatus.FAILED


async def test_a_success_that_is_rolled_back_by_hand_leaves_the_group_with_what_it_had_before(world: World) -> None:
    service = Service(world.store, lambda: (), lambda: world.time, ())
    async with world.driven():
        good = await world.ends(world.deploy(AT_ONCE))
        world.later(MINUTE)
        unwanted = await world.ends(world.deploy(AT_ONCE))
        by_hand = service.roll_back(unwanted.id)
        assert by_hand is not None
        back = await world.ends(by_hand)
    assert (back.status, back.revision) == (DeploymentStatus.SUCCEEDED, good.revision)
    assert world.store.last_successful("shop", "live") == back
    group = world.store.catalog.groups.get("shop", "live")
    assert (group.last_attempted, group.target_revision) == (back.id, good.revision)


async def test_the_first_deployment_of_a_group_rolled_back_by_hand_leaves_nothing_of_ours(world: World) -> None:
    service = Service(world.store, lambda: (), lambda: world.time, ())
    async with world.driven():
        first = await world.ends(world.deploy(AT_ONCE))
        by_hand = service.roll_back(first.id)
        assert by_hand is not None
        assert (await world.ends(by_hand)).status is DeploymentStatus.SUCCEEDED
    assert world.store.last_successful("shop", "live") is None


async def test_a_way_back_is_not_rolled_back_itself(world: World) -> None:
    service = Service(world.store, lambda: (), lambda: world.time, ())
    async with world.driven():
        made = await world.ends(world.deploy(AT_ONCE))
        by_hand = service.roll_back(made.id)
        assert by_hand is not None
        await world.ends(by_hand)
        with pytest.raises(UserError, match=f"is itself the way back from {made.id}; `penstock rollback {made.id}`"):
            service.roll_back(by_hand)
        again = service.roll_back(made.id)
        assert again is not None
        assert (await world.ends(again)).status is DeploymentStatus.SUCCEEDED
