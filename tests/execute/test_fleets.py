"""A fleet of servers that replaces another: the way forward, stops, and what is refused."""

import asyncio
import datetime as dt

import msgspec
from fleet_rollouts import (
    ALLOW,
    BLOCK,
    EVERYTHING,
    HOSTS,
    INSTALL,
    MINUTE,
    World,
    all_are,
    of,
)
from store_cases import ONE_AT_A_TIME, T0
from waiting import until

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.manifest import BlueGreen
from runner.model.rollout import MinimumHealthyHosts, Rollout
from runner.model.target import EventStatus, TargetStatus


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
