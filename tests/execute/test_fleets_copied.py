"""A fleet that is a copy of the group's Auto Scaling group."""

from typing import Any

from fleet_rollouts import ALLOW, BLOCK, INSTALL, MINUTE, World, all_are, instances, of
from waiting import until

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green
from runner.model.manifest import BlueGreen
from runner.model.target import TargetStatus

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
