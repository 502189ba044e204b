"""Blue/green deployments on servers, through the store and the driver: hosts without machines, a clock of the test's own."""

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fakes.fleets import FakeFleets
from fakes.platform import FakePlatform, succeed
from fakes.traffic_platform import FakeTrafficPlatform
from store_cases import ALL_AT_ONCE, ONE_AT_A_TIME, PIPELINE, T0, group, manifest, revision
from waiting import until

from runner.errors import DeploymentAlreadyCompleted, UserError
from runner.execute.driver import Driver
from runner.execute.prepare_fleets import prepare_fleets
from runner.model.command import Command, Outcome
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation, Options
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.revision import Bundle, Revision
from runner.model.rollout import MinimumHealthyHosts, Rollout
from runner.model.target import Diagnostics, EventStatus, Host, TargetStatus
from runner.model.traffic import Backend, LoadBalancing
from runner.model.work import PreparationFailed, Prepare, PreparedFleets, Wish
from runner.plan.lifecycle import server_blue_green
from runner.plan.targets import choose
from runner.ports import Report
from runner.service import Service
from runner.store.logs import LogFiles
from runner.store.store import Store

MINUTE = dt.timedelta(minutes=1)
INSTALL, ALLOW, BLOCK = server_blue_green().install, server_blue_green().allow, server_blue_green().block
EVERYTHING = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
KEPT = BlueGreen(termination_wait=None)
BALANCER = LoadBalancing(haproxy=(Backend(load_balancer="edge", name="shop"),))
GREEN = Green(fleet=Fleet(tags={"colour": ("green",)}))
BLUE = Green(fleet=Fleet(tags={"colour": ("blue",)}))
HOSTS = tuple(
    Host(name=f"{c}{n}", folder="/h", tags={"colour": c}, instance=f"i-{c}{n}")
    for c in ("blue", "green")
    for n in (1, 2, 3)
)


def instances(name: str) -> tuple[Host, ...]:
    return tuple(Host(name=f"{name}{number}", folder="/h", instance=f"{name}{number}") for number in (1, 2, 3))


class OneBundle:
    """Every revision is the same bundle."""

    def pin(self, revision: Revision) -> Revision:
        return revision

    def fetch(self, revision: Revision) -> Bundle:
        return Bundle(path="/b", bundle_type="tar", sha256="00", size=1)

    def read(self, bundle: Bundle, name: str) -> bytes | None:
        return b"version: 0.0\nos: linux\n"


class World:
    """One store, three blue hosts and three green ones; drivers come and go. *failing*: (host, event)."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, PIPELINE)
        self.logs = LogFiles(folder / "logs")
        self.platform = FakePlatform(self._run)
        self.fleets = FakeFleets()
        self.failing: set[tuple[str, str]] = set()
        self.gates: dict[str, asyncio.Event] = {}  # by event
        self.hosts = HOSTS
        self.groups: dict[str, tuple[Host, ...]] = {"web": instances("old")}  # Auto Scaling
        self.time = T0
        self.may_prepare = threading.Event()
        self.may_prepare.set()
        self._driver: Driver | None = None
        self._number = 0

    def deploy(self, rollout: Rollout = ALL_AT_ONCE, **settings: Any) -> str:
        self._number += 1
        given = {"tags": {"colour": ("blue",)}, "load_balancer": BALANCER, "green": GREEN, "blue_green": KEPT}
        one = manifest(group("live", rollout=rollout, **given | settings))
        wish = Wish(manifest=one, revision=revision(f"{self._number:x}"))
        return self.store.create_releases("shop", [wish], "user", Options(), self.time)[0]

    async def _run(self, command: Command, report: Report) -> Outcome:
        if command.lifecycle_event in self.gates:
            await self.gates[command.lifecycle_event].wait()
        if (command.host.name, command.lifecycle_event) in self.failing:
            diagnostics = Diagnostics(error_code="ScriptFailed", script_name="x.sh", message="no")
            return Outcome(succeeded=False, diagnostics=diagnostics)
        return await succeed(command, report)

    def _prepare(self, action: Prepare) -> PreparedFleets | PreparationFailed:
        assert self.may_prepare.wait(60)
        sources: Any = OneBundle()
        if action.deployment.settings.green is None:  # the redeployment of what cannot be rerouted
            return self._prepare_in_place(action)  # type: ignore[return-value]
        return prepare_fleets(
            action,
            sources,
            lambda settings: choose(self.hosts, settings, self.of(settings)),
            lambda hosts, settings: None,
        )

    def of(self, settings: GroupSettings) -> list[Host]:
        """Its instances in the cloud."""
        return [host for name in settings.ec2.auto_scaling_groups for host in self.groups[name]]

    def _prepare_in_place(self, action: Prepare) -> Any:
        from runner.execute.prepare import prepare

        return prepare(action.deployment, OneBundle(), lambda: self.hosts, lambda hosts, settings: None)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def driven(self) -> AsyncIterator[Driver]:
        driver = Driver(
            self.store,
            self.platform,
            FakeTrafficPlatform(),
            self._prepare,
            self.logs,
            lambda: self.time,
            fleets=self.fleets,
        )
        self._driver = driver
        running = asyncio.create_task(driver.run())
        try:
            yield driver
        finally:
            driver.drain()
            await running
            self._driver = None

    def later(self, by: dt.timedelta) -> None:
        self.time += by
        if self._driver:
            self._driver.wake()

    def roll_back(self, deployment_id: str) -> str:
        """By hand; the new deployment."""
        made = Service(self.store, lambda: (), lambda: self.time, ()).roll_back(deployment_id)
        assert made is not None
        return made

    def get(self, deployment_id: str) -> Deployment:
        return self.store.deployment(deployment_id)

    async def comes_to(self, deployment_id: str, so: Callable[[Deployment], bool]) -> Deployment:
        await until(lambda: so(self.get(deployment_id)))
        return self.get(deployment_id)

    async def ends(self, deployment_id: str) -> Deployment:
        return await self.comes_to(deployment_id, lambda each: each.status.is_terminal)

    async def is_ready(self, deployment_id: str) -> Deployment:
        return await self.comes_to(deployment_id, lambda each: each.status is DeploymentStatus.READY)

    def ran(self, deployment_id: str) -> dict[str, list[str]]:
        """The events of each host, in order."""
        found: dict[str, list[str]] = {}
        for of, host, event, _ in self.platform.ran:
            if of == deployment_id:
                found.setdefault(host, []).append(event)
        return found

    def statuses(self, deployment_id: str) -> dict[str, TargetStatus]:
        return {target.id: target.status for target in self.store.targets(deployment_id)}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def of(colour: str, events: tuple[str, ...]) -> dict[str, list[str]]:
    return {f"{colour}{number}": list(events) for number in (1, 2, 3)}


def all_are(status: TargetStatus, *colours: str) -> dict[str, TargetStatus]:
    return {f"{colour}{number}": status for colour in colours for number in (1, 2, 3)}


async def test_green_hosts_are_installed_and_get_the_traffic_before_blue_ones_lose_it(world: World) -> None:
    made = world.deploy()
    async with world.driven():
        ended = await world.ends(made)
    assert (ended.status, ended.error) == (DeploymentStatus.SUCCEEDED, None)
    assert world.ran(made) == of("green", INSTALL + ALLOW) | of("blue", BLOCK)
    order = [event for _, _, event, _ in world.platform.ran]
    assert order.index("BeforeBlockTraffic") > max(at for at, event in enumerate(order) if event == "AfterAllowTraffic")
    labels = {target.id: target.label for target in world.store.targets(made)}
    assert labels == {name: "Green" if name.startswith("green") else "Blue" for name in labels}
    assert ended.overview.Succeeded == 6
    assert [each.target for each in world.store.instance_health("shop", "live")] == ["green1", "green2", "green3"]
    assert world.store.last_successful("shop", "live") == ended


async def test_the_fleet_that_was_replaced_is_the_next_replacement(world: World) -> None:
    first = world.deploy()
    async with world.driven():
        await world.ends(first)
        second = world.deploy()
        await world.ends(second)
    assert world.ran(second) == of("blue", INSTALL + ALLOW) | of("green", BLOCK)
    assert [each.target for each in world.store.instance_health("shop", "live")] == ["blue1", "blue2", "blue3"]


async def test_installed_hosts_are_ready_until_somebody_continues(world: World) -> None:
    made = world.deploy(blue_green=BlueGreen(ready_wait=60 * MINUTE, termination_wait=None))
    async with world.driven():
        ready = await world.is_ready(made)
        assert ready.waiting_until == T0 + 60 * MINUTE
        ready_ones = all_are(TargetStatus.READY, "green") | all_are(TargetStatus.PENDING, "blue")
        assert world.statuses(made) == ready_ones
        assert world.ran(made) == of("green", INSTALL)
        world.store.request_continue(made, world.time)
        assert (await world.ends(made)).status is DeploymentStatus.SUCCEEDED
    assert world.ran(made) == of("green", INSTALL + ALLOW) | of("blue", BLOCK)


async def test_a_ready_wait_that_nobody_ends_stops_the_deployment_and_moves_no_traffic(world: World) -> None:
    waits = BlueGreen(ready_wait=60 * MINUTE, termination_wait=None)
    made = world.deploy(blue_green=waits, rollback_on=EVERYTHING)
    async with world.driven():
        await world.is_ready(made)
        world.later(60 * MINUTE)
        ended = await world.ends(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.STOPPED, "TIMEOUT")
    assert ended.rollback is None  # nobody has asked for the stop, and no alarm has
    assert world.ran(made) == of("green", INSTALL)
    assert world.statuses(made) == all_are(TargetStatus.FAILED, "green") | all_are(TargetStatus.SKIPPED, "blue")
    assert world.store.instance_health("shop", "live") == []


async def test_the_driver_that_comes_next_goes_on_where_the_last_one_was(world: World) -> None:
    for event in ("Install", "AllowTraffic", "BlockTraffic"):
        world.gates[event] = asyncio.Event()
    made = world.deploy(blue_green=BlueGreen(ready_wait=60 * MINUTE, termination_wait=30 * MINUTE))
    for event in ("Install", "AllowTraffic", "BlockTraffic"):
        async with world.driven():
            if event == "AllowTraffic":
                await world.is_ready(made)
                world.store.request_continue(made, world.time)
            await until(lambda event=event: any(each[2] == event for each in world.platform.ran))
            world.gates[event].set()
    async with world.driven():
        await world.comes_to(made, lambda each: each.wait == "termination")
    world.fleets.held.add("Terminate")
    world.later(30 * MINUTE)
    async with world.driven():
        await until(lambda: world.fleets.begun == ["Terminate"])
    world.fleets.let_go("Terminate")
    async with world.driven():
        assert (await world.ends(made)).status is DeploymentStatus.SUCCEEDED
    assert world.ran(made) == of("green", INSTALL + ALLOW) | of("blue", BLOCK)
    assert world.fleets.done == ["Terminate"]
    (task,) = world.fleets.tasks
    assert [host.name for host in task.hosts] == ["blue1", "blue2", "blue3"]


async def test_too_many_hosts_that_cannot_be_installed_leave_the_traffic_where_it_is(world: World) -> None:
    world.failing.add(("green1", "ValidateService"))
    made = world.deploy(ONE_AT_A_TIME)
    async with world.driven():
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.FAILED
    assert ended.error is not None and ended.error.code == "HEALTH_CONSTRAINTS"
    assert ended.error.message.startswith(
        "green hosts, ApplicationStop to ValidateService: 1 of 3 hosts failed (green1"
    )
    assert world.ran(made) == {"green1": list(INSTALL)}
    skipped = all_are(TargetStatus.SKIPPED, "green", "blue")
    assert world.statuses(made) == skipped | {"green1": TargetStatus.FAILED}
    assert ended.rollback is None


async def test_the_last_host_alone_may_fail_and_gets_no_traffic_then(world: World) -> None:
    world.failing.add(("green3", "ValidateService"))
    made = world.deploy(ONE_AT_A_TIME)
    async with world.driven():
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert world.ran(made)["green3"] == list(INSTALL)
    assert world.statuses(made)["green3"] is TargetStatus.FAILED
    assert world.ran(made)["green1"] == list(INSTALL + ALLOW)


async def test_failures_of_both_stages_count_together(world: World) -> None:
    world.failing |= {("green3", "ValidateService"), ("green2", "AllowTraffic")}
    made = world.deploy(ONE_AT_A_TIME)
    async with world.driven():
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.FAILED
    assert (
        ended.error is not None and "1 of 2 hosts failed (green2 in AllowTraffic) and 2 must be" in ended.error.message
    )
    assert "blue1" not in world.ran(made)


async def test_one_blue_host_that_keeps_its_traffic_fails_the_deployment(world: World) -> None:
    world.failing.add(("blue2", "BlockTraffic"))
    made = world.deploy()
    async with world.driven():
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.FAILED
    assert ended.error is not None and ended.error.message.startswith("blue hosts, BeforeBlockTraffic")
    assert world.ran(made)["blue1"] == list(BLOCK)
    assert world.statuses(made)["blue2"] is TargetStatus.FAILED


async def test_a_rollback_gives_blue_hosts_the_traffic_back_and_takes_it_from_green_ones(world: World) -> None:
    world.failing.add(("blue2", "BlockTraffic"))
    made = world.deploy(rollback_on=("DEPLOYMENT_FAILURE",))
    async with world.driven():
        failed = await world.ends(made)
        assert failed.rollback is not None and failed.rollback.rollback_deployment_id
        world.failing.clear()
        back = await world.ends(failed.rollback.rollback_deployment_id)
    assert (back.status, back.creator) == (DeploymentStatus.SUCCEEDED, "codeDeployRollback")
    assert world.ran(back.id) == of("blue", ALLOW) | of("green", BLOCK)
    order = [event for of_deployment, _, event, _ in world.platform.ran if of_deployment == back.id]
    assert order.index("BeforeBlockTraffic") > max(at for at, event in enumerate(order) if event == "AfterAllowTraffic")
    job, _ = world.store.job(back.id)
    assert (job.creator, job.deployment_type) == ("codeDeployRollback", "BLUE_GREEN")
    assert world.store.last_successful("shop", "live") is None


async def test_after_a_rollback_the_same_fleets_are_blue_and_green_again(world: World) -> None:
    world.failing.add(("blue2", "BlockTraffic"))
    made = world.deploy(rollback_on=("DEPLOYMENT_FAILURE",))
    async with world.driven():
        failed = await world.ends(made)
        assert failed.rollback is not None and failed.rollback.rollback_deployment_id
        world.failing.clear()
        await world.ends(failed.rollback.rollback_deployment_id)
        again = world.deploy()
        await world.ends(again)
    assert world.ran(again) == of("green", INSTALL + ALLOW) | of("blue", BLOCK)


async def test_hosts_that_never_came_near_traffic_are_left_alone_by_the_rollback(world: World) -> None:
    world.failing |= {("green1", "Install"), ("green2", "Install"), ("green3", "Install")}
    made = world.deploy(rollback_on=("DEPLOYMENT_FAILURE",))
    async with world.driven():
        failed = await world.ends(made)
        assert failed.rollback is not None and failed.rollback.rollback_deployment_id
        back = await world.ends(failed.rollback.rollback_deployment_id)
    assert back.status is DeploymentStatus.SUCCEEDED
    assert world.ran(back.id) == of("blue", ALLOW)


async def test_once_the_original_is_gone_the_replacement_gets_the_earlier_revision_in_place(world: World) -> None:
    async with world.driven():
        good = await world.ends(world.deploy())
        world.fleets.failing["Terminate"] = "IAM_ROLE_PERMISSIONS"
        made = world.deploy(blue_green=BlueGreen(), rollback_on=("DEPLOYMENT_FAILURE",))
        failed = await world.ends(made)
        assert failed.error == ErrorInformation(
            code="IAM_ROLE_PERMISSIONS", message="Terminate: Terminate does not work"
        )
        assert failed.rollback is None  # by itself, what serves well stays
        back = await world.ends(world.roll_back(made))
    assert (back.status, back.error) == (DeploymentStatus.SUCCEEDED, None)
    assert back.revision == good.revision
    assert world.ran(back.id) == of("blue", PIPELINE.events)


async def test_what_succeeded_gives_the_traffic_back_while_the_original_is_there(world: World) -> None:
    made = world.deploy()
    async with world.driven():
        await world.ends(made)
        back = await world.ends(world.roll_back(made))
    assert (back.status, back.error, back.creator) == (DeploymentStatus.SUCCEEDED, None, "user")
    assert world.ran(back.id) == of("blue", ALLOW) | of("green", BLOCK)
    assert [each.target for each in world.store.instance_health("shop", "live")] == ["blue1", "blue2", "blue3"]
    assert world.store.last_successful("shop", "live") is None
    with pytest.raises(UserError, match=f"is itself the way back from {made}"):
        world.roll_back(back.id)


async def test_what_succeeded_and_ended_the_original_is_undone_in_place(world: World) -> None:
    async with world.driven():
        good = await world.ends(world.deploy())
        made = world.deploy(blue_green=BlueGreen())
        await world.ends(made)
        back = await world.ends(world.roll_back(made))
    assert (back.status, back.error, back.revision) == (DeploymentStatus.SUCCEEDED, None, good.revision)
    assert world.ran(back.id) == of("blue", PIPELINE.events)


async def test_the_first_deployment_that_ended_the_original_has_nothing_to_go_back_to(world: World) -> None:
    made = world.deploy(blue_green=BlueGreen())
    async with world.driven():
        await world.ends(made)
        with pytest.raises(DeploymentAlreadyCompleted, match="nothing to go back to"):
            world.roll_back(made)


async def test_traffic_does_not_go_back_to_hosts_that_were_deployed_to_since(world: World) -> None:
    async with world.driven():
        first = await world.ends(world.deploy())
        world.later(MINUTE)
        second = world.deploy()
        await world.ends(second)
        await world.ends(world.deploy())
        back = await world.ends(world.roll_back(second))
    assert back.revision == first.revision
    assert world.ran(back.id) == of("blue", INSTALL + ALLOW) | of("green", BLOCK)


async def test_a_way_back_that_waited_while_others_took_over_changes_nothing(world: World) -> None:
    first = world.deploy()
    async with world.driven():
        await world.ends(first)
        world.may_prepare.clear()
        second = world.deploy()
        await world.comes_to(second, lambda each: each.status is DeploymentStatus.QUEUED)
        back = world.roll_back(first)  # nothing else has begun so far
        world.may_prepare.set()
        await world.ends(second)
        ended = await world.ends(back)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.FAILED, "NO_INSTANCES")
    assert ended.error is not None and f"another deployment of the group has begun since {first}" in ended.error.message
    assert world.ran(back) == {}
    good = world.store.last_successful("shop", "live")
    assert good is not None and good.id == second


async def test_a_group_whose_deployments_name_their_hosts_asks_for_them_where_traffic_cannot_go_back(
    world: World,
) -> None:
    told = {"deploymentStyle": {"deploymentType": "BLUE_GREEN"}, "blueGreenDeploymentConfiguration": {"x": {}}}
    async with world.driven():
        first = world.deploy(declared=told)
        await world.ends(first)
        world.later(MINUTE)
        second = world.deploy(declared=told, tags={"colour": ("green",)}, green=BLUE)
        await world.ends(second)
        await world.ends(world.deploy(declared=told))
        with pytest.raises(UserError, match=f"revision of {first} with targetInstances"):
            world.roll_back(second)


async def test_a_stop_while_the_original_is_kept_ends_the_wait_and_keeps_it(world: World) -> None:
    made = world.deploy(blue_green=BlueGreen(termination_wait=60 * MINUTE))
    async with world.driven():
        await world.comes_to(made, lambda each: each.wait == "termination")
        assert world.statuses(made) == all_are(TargetStatus.SUCCEEDED, "green", "blue")
        world.store.request_stop(made, world.time, rollback=False)
        ended = await world.ends(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.STOPPED, "MANUAL_STOP")
    assert world.fleets.done == []


async def test_a_stop_in_the_middle_of_a_stage_lets_its_events_end_and_begins_nothing(world: World) -> None:
    world.gates["AllowTraffic"] = asyncio.Event()
    made = world.deploy()
    async with world.driven():
        await until(lambda: any(event == "AllowTraffic" for _, _, event, _ in world.platform.ran))
        world.store.request_stop(made, world.time, rollback=False)
        world.gates["AllowTraffic"].set()
        ended = await world.ends(made)
    assert ended.status is DeploymentStatus.STOPPED
    assert "blue1" not in world.ran(made)
    assert world.statuses(made) == all_are(TargetStatus.FAILED, "green") | all_are(TargetStatus.SKIPPED, "blue")
    ended_events = {event.name: event.status for event in world.store.targets(made)[0].lifecycle_events}
    assert ended_events["AfterAllowTraffic"] is EventStatus.SKIPPED


async def test_what_was_stopped_half_way_is_given_back_by_hand(world: World) -> None:
    made = world.deploy(blue_green=BlueGreen(termination_wait=60 * MINUTE))
    async with world.driven():
        await world.comes_to(made, lambda each: each.wait == "termination")
        world.store.request_stop(made, world.time, rollback=False)
        await world.ends(made)
        back = await world.ends(world.roll_back(made))
    assert (back.status, back.creator) == (DeploymentStatus.SUCCEEDED, "user")
    assert world.ran(back.id) == of("blue", ALLOW) | of("green", BLOCK)
    job, _ = world.store.job(back.id)
    assert job.creator == "codeDeployRollback"  # hosts look for the scripts of a way back elsewhere


async def test_no_host_that_could_take_over_is_no_deployment(world: World) -> None:
    world.hosts = tuple(host for host in HOSTS if host.tags["colour"] == "blue")
    made = world.deploy()
    async with world.driven():
        ended = await world.ends(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.FAILED, "NO_INSTANCES")
    assert world.store.targets(made) == []


async def test_more_than_the_fleet_can_spare_is_refused_before_anything_runs(world: World) -> None:
    all_must_live = Rollout(name="careful", minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=3))
    made = world.deploy(all_must_live)
    async with world.driven():
        ended = await world.ends(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.FAILED, "HEALTH_CONSTRAINTS_INVALID")
    assert world.ran(made) == {}


async def test_a_deployment_that_takes_too_long_fails(world: World) -> None:
    world.gates["Install"] = asyncio.Event()
    made = world.deploy()
    async with world.driven():
        await until(lambda: any(event == "Install" for _, _, event, _ in world.platform.ran))
        world.later(dt.timedelta(hours=14))
        world.gates["Install"].set()
        ended = await world.ends(made)
    assert ended.error == ErrorInformation(
        code="TIMEOUT",
        message="the deployment did not end within 13 hours; "
        "it was in ApplicationStop to ValidateService of the green hosts",
    )


# The replacement is a copy of the group's Auto Scaling group.

SCALED: dict[str, Any] = {
    "tags": {},
    "ec2": Ec2Targets(auto_scaling_groups=("web",)),
    "green": Green(copy=True),
    "blue_green": BlueGreen(),
}


async def test_a_copied_fleet_is_made_first_and_the_original_ends_last(world: World) -> None:
    world.fleets.made = instances("new")
    made = world.deploy(**SCALED)
    async with world.driven():
        ended = await world.ends(made)
    assert (ended.status, ended.error) == (DeploymentStatus.SUCCEEDED, None)
    assert world.fleets.done == ["Provision", "Attach", "Terminate"]
    assert world.ran(made) == of("new", INSTALL + ALLOW) | of("old", BLOCK)
    copy = Fleet(ec2=Ec2Targets(auto_scaling_groups=(f"CodeDeploy_live_{made}",)))
    assert [task.replacement for task in world.fleets.tasks] == [copy] * 3
    assert world.logs.read(made, "~fleet") == "Provision done\nAttach done\nTerminate done\n"


async def test_the_copy_is_what_is_copied_next(world: World) -> None:
    world.fleets.made = instances("new")
    first = world.deploy(**SCALED)
    async with world.driven():
        await world.ends(first)
        world.groups = {f"CodeDeploy_live_{first}": instances("new")}
        world.fleets.made = instances("newest")
        second = world.deploy(**SCALED)
        await world.ends(second)
    assert world.ran(second) == of("newest", INSTALL + ALLOW) | of("new", BLOCK)


async def test_a_fleet_that_cannot_be_made_leaves_everything_as_it_is(world: World) -> None:
    world.fleets.failing["Provision"] = "AUTO_SCALING_CONFIGURATION"
    made = world.deploy(**SCALED, rollback_on=("DEPLOYMENT_FAILURE",))
    async with world.driven():
        ended = await world.ends(made)
    assert ended.error == ErrorInformation(
        code="AUTO_SCALING_CONFIGURATION", message="Provision: Provision does not work"
    )
    assert ended.rollback is None
    assert world.ran(made) == {}
    assert world.statuses(made) == all_are(TargetStatus.SKIPPED, "old")


async def test_making_a_fleet_goes_on_with_the_next_driver_and_a_stop_waits_for_its_end(world: World) -> None:
    world.fleets.held.add("Provision")
    world.fleets.made = instances("new")
    made = world.deploy(**SCALED)
    async with world.driven():
        await until(lambda: world.fleets.begun == ["Provision"])
    async with world.driven():
        await until(lambda: world.fleets.begun == ["Provision", "Provision"])
        world.store.request_stop(made, world.time, rollback=None)
        world.fleets.let_go("Provision")
        ended = await world.ends(made)
    assert (ended.status, ended.error and ended.error.code) == (DeploymentStatus.STOPPED, "MANUAL_STOP")
    assert world.statuses(made) == all_are(TargetStatus.SKIPPED, "old", "new")


async def test_the_original_gets_its_new_instances_back_as_well(world: World) -> None:
    world.fleets.made = instances("new")
    made = world.deploy(**SCALED | {"blue_green": BlueGreen(termination_wait=60 * MINUTE)})
    async with world.driven():
        await world.comes_to(made, lambda each: each.wait == "termination")
        world.store.request_stop(made, world.time, rollback=True)
        stopped = await world.ends(made)
        assert stopped.rollback is not None and stopped.rollback.rollback_deployment_id
        back = await world.ends(stopped.rollback.rollback_deployment_id)
    assert back.status is DeploymentStatus.SUCCEEDED
    assert [(task.event, task.restoring) for task in world.fleets.tasks] == [
        ("Provision", False),
        ("Attach", False),
        ("Attach", True),
    ]
    assert world.ran(back.id) == of("old", ALLOW) | of("new", BLOCK)
    async with world.driven():
        world.fleets.made = instances("newest")
        again = world.deploy(**SCALED)
        await world.ends(again)
    assert world.ran(again) == of("newest", INSTALL + ALLOW) | of("old", BLOCK)


async def test_hosts_that_are_no_instances_cannot_be_terminated_and_are_not_deployed_from(world: World) -> None:
    world.hosts = tuple(msgspec.structs.replace(host, instance="") for host in HOSTS)
    made = world.deploy(blue_green=BlueGreen())
    async with world.driven():
        ended = await world.ends(made)
    assert ended.error is not None and ended.error.code == "NO_INSTANCES"
    assert "blue1, blue2, blue3 are no EC2 instances; keep it" in ended.error.message
    assert world.ran(made) == {}


async def test_an_alarm_stops_a_deployment_that_waits_and_the_way_back_is_not_watched(world: World) -> None:
    waits = BlueGreen(ready_wait=60 * MINUTE, termination_wait=None)
    made = world.deploy(blue_green=waits, rollback_on=("DEPLOYMENT_STOP_ON_ALARM",))
    alarm = ErrorInformation(code="ALARM_ACTIVE", message="errors is in state ALARM")
    async with world.driven():
        await world.is_ready(made)
        assert world.store.watch.failed(made, alarm, world.time)
        stopped = await world.ends(made)
        assert (stopped.status, stopped.error) == (DeploymentStatus.STOPPED, alarm)
        assert stopped.rollback is not None and stopped.rollback.rollback_deployment_id
        back = await world.ends(stopped.rollback.rollback_deployment_id)
    assert back.status is DeploymentStatus.SUCCEEDED
    assert world.ran(back.id) == of("blue", ALLOW)


async def test_a_group_of_the_api_that_never_said_what_becomes_of_its_instances_is_not_deployed_to(
    world: World,
) -> None:
    made = world.deploy(declared={"deploymentStyle": {"deploymentType": "BLUE_GREEN"}})
    async with world.driven():
        ended = await world.ends(made)
    assert ended.error is not None and ended.error.code == "MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION"


async def test_without_a_load_balancer_nothing_can_take_over(world: World) -> None:
    made = world.deploy(load_balancer=None)
    async with world.driven():
        ended = await world.ends(made)
    assert ended.error is not None and ended.error.code == "MISSING_ELB_INFORMATION"
