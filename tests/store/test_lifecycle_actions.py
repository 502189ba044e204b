"""Instances that lifecycle hooks hold, as the store has them."""

import datetime as dt

import msgspec
import pytest
from store_cases import World, group, manifest

from runner.model.aws import AwsPlace
from runner.model.deployment import DeploymentStatus
from runner.model.ec2 import Transition
from runner.model.lifecycle_actions import LifecycleHook
from runner.model.work import Action, Prepared, Result

HOUR = dt.timedelta(hours=1)


class Instances(World):
    """The hosts `production-1`, `production-2` of the configuration are the instances `i-1`, `i-2`."""

    def result(self, action: Action) -> Result:
        result = super().result(action)
        if not isinstance(result, Prepared):
            return result
        hosts = (msgspec.structs.replace(host, instance=f"i-{host.name[-1]}") for host in result.hosts)
        return msgspec.structs.replace(result, hosts=tuple(hosts))


@pytest.fixture
def world(tmp_path):
    made = Instances(tmp_path)
    yield made
    made.store.close()


def hook_of(world: World, transition: Transition) -> LifecycleHook:
    group_id = world.store.deployments()[0].group_id
    return LifecycleHook(
        group_id=group_id, place=AwsPlace(), auto_scaling_group="web", transition=transition, name=transition
    )


def known(world: World) -> set[str]:
    return {health.target for health in world.store.instance_health("shop", "production")}


def test_a_host_that_has_a_name_of_its_own_is_known_by_its_instance(world: Instances) -> None:
    world.push("1", manifest(group("production")))
    world.settle()
    assert known(world) == {"production-1", "production-2"}
    hook, actions = hook_of(world, "terminating"), world.store.lifecycle_actions
    made = actions.begin(hook, "i-1", world.now)
    assert made is not None and actions.begin(hook, "i-1", world.now) is None
    (action,) = actions.actions()
    assert (action.deployment_id, action.result, action.begun_at) == (made, None, world.now)
    actions.told(action, world.now)
    assert known(world) == {"production-2"}
    assert actions.actions() == [] and actions.known(hook) == {"i-1"}


def test_an_instance_that_is_none_of_the_group_has_no_deployment_when_it_ends(world: Instances) -> None:
    world.push("1", manifest(group("production")))
    world.settle()
    actions = world.store.lifecycle_actions
    assert actions.begin(hook_of(world, "terminating"), "i-3", world.now) is None
    (action,) = actions.actions()
    assert (action.deployment_id, action.result) == (None, "CONTINUE")
    assert actions.begin(hook_of(world, "launching"), "i-3", world.now) is not None


def test_a_deployment_to_an_instance_that_is_let_go_is_stopped_and_its_journal_says_why(world: Instances) -> None:
    world.push("1", manifest(group("production")))
    world.settle()
    actions = world.store.lifecycle_actions
    made = actions.begin(hook_of(world, "terminating"), "i-1", world.now)
    assert made is not None
    (action,) = actions.actions()
    actions.told(action, world.now)
    world.settle()
    assert world.store.deployment(made).status is DeploymentStatus.STOPPED
    reasons = [each.details.get("reason") for each in world.store.journal(made) if each.kind == "stop requested"]
    assert reasons == ["Auto Scaling holds the instance no longer"]


def test_a_deployment_that_began_before_a_host_ended_does_not_bring_it_back_and_a_later_one_may(
    world: Instances,
) -> None:
    one = manifest(group("production"))
    world.push("1", one)
    world.settle()
    world.push("2", one)
    under_way = world.step(world.step([]))
    actions = world.store.lifecycle_actions
    actions.begin(hook_of(world, "terminating"), "i-1", world.now)
    (action,) = actions.actions()
    actions.told(action, world.now)
    while under_way:
        under_way = world.step(under_way)
    assert known(world) == {"production-2"}
    world.tick(HOUR.total_seconds())
    world.push("3", one)
    world.settle()
    assert known(world) == {"production-1", "production-2"}
