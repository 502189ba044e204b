"""A fleet of servers that has replaced another, or was about to: the ways back."""

import pytest
from fleet_rollouts import ALLOW, BLOCK, BLUE, INSTALL, MINUTE, World, of
from store_cases import PIPELINE

from runner.errors import DeploymentAlreadyCompleted, UserError
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation
from runner.model.manifest import BlueGreen


async def rolled_back(world: World) -> Deployment:
    """The rollback of a deployment that fails when a blue host is taken out of traffic."""
    world.failing.add(("blue2", "BlockTraffic"))
    failed = await world.ends(world.deploy(rollback_on=("DEPLOYMENT_FAILURE",)))
    assert failed.rollback is not None and failed.rollback.rollback_deployment_id
    world.failing.clear()
    return await world.ends(failed.rollback.rollback_deployment_id)


async def test_a_rollback_gives_blue_hosts_the_traffic_back_and_takes_it_from_green_ones(world: World) -> None:
    async with world.driven():
        back = await rolled_back(world)
    assert (back.status, back.creator) == (DeploymentStatus.SUCCEEDED, "codeDeployRollback")
    assert world.ran(back.id) == of("blue", ALLOW) | of("green", BLOCK)
    order = [event for of_deployment, _, event, _ in world.platform.ran if of_deployment == back.id]
    assert order.index("BeforeBlockTraffic") > max(at for at, event in enumerate(order) if event == "AfterAllowTraffic")
    job, _ = world.store.job(back.id)
    assert (job.creator, job.deployment_type) == ("codeDeployRollback", "BLUE_GREEN")
    assert world.store.last_successful("shop", "live") is None


async def test_after_a_rollback_the_same_fleets_are_blue_and_green_again(world: World) -> None:
    async with world.driven():
        await rolled_back(world)
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
