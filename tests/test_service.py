"""The verbs that people use."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from store_cases import EVENTS, T0, World, group, manifest, revision

from runner.config import InstancesConfig
from runner.errors import (
    ApplicationAlreadyExists,
    ApplicationDoesNotExist,
    DeploymentAlreadyCompleted,
    DeploymentGroupDoesNotExist,
    NoInstances,
    UserError,
)
from runner.model.aws import AwsPlace
from runner.model.deployment import DeploymentStatus, Options
from runner.model.ec2 import Ec2Targets
from runner.model.lifecycle_actions import LifecycleHook
from runner.model.manifest import After, GroupSettings
from runner.model.target import Host
from runner.model.traffic import LoadBalancing
from runner.model.work import Wish
from runner.service import Forecast, Service

HOSTS = tuple(
    Host(name=f"{stage}-{number}", folder="/h", tags={"stage": stage})
    for stage in ("staging", "production")
    for number in (1, 2)
)


def wish(**changes: Any) -> Wish:
    return Wish(**{"manifest": manifest(), "revision": revision("1")} | changes)


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def service(world: World) -> Service:
    return Service(world.store, lambda: HOSTS, lambda: world.now)


def test_create_deploys_to_all_groups_in_order(world: World, service: Service) -> None:
    made = service.create("shop", wish())
    world.settle()
    assert [world.store.deployment(each).place for each in made] == ["shop/staging", "shop/production"]
    assert set(world.statuses().values()) == {"Succeeded"}


def test_when_one_wish_is_refused_nothing_is_recorded(world: World, service: Service) -> None:
    world.store.create_releases("other", [wish(manifest=manifest(application="taken"))], "user", Options(), world.now)
    before = len(world.store.deployments())
    with pytest.raises(ApplicationAlreadyExists):
        service.create("shop", wish(), wish(manifest=manifest(application="taken")))
    assert len(world.store.deployments()) == before


def test_create_names_the_groups_that_there_are(service: Service) -> None:
    with pytest.raises(DeploymentGroupDoesNotExist, match="no deployment group prod; it has staging, production"):
        service.create("shop", wish(groups=("prod",)))


def test_a_forecast_has_hosts_in_deployment_order(world: World, service: Service) -> None:
    world.fails = lambda event: event.target == "production-2" and event.event == len(EVENTS) - 1
    world.push("1")
    world.settle()
    staging, production = service.forecast(manifest(), revision("2"))
    assert [host.target for host in staging.hosts] == ["staging-1", "staging-2"]
    assert [host.target for host in production.hosts] == ["production-2", "production-1"]
    assert production.current == revision("1")
    assert production.plan.window == 2


def test_a_forecast_looks_up_instances_and_counts_what_their_balancers_may_take(world: World) -> None:
    def instances(settings: GroupSettings) -> list[Host]:
        assert settings.ec2.auto_scaling_groups == ("web",)
        return [Host(name="i-1", instance="i-1"), Host(name="i-2", instance="i-2")]

    limits = InstancesConfig(drain_timeout=dt.timedelta(minutes=2), up_timeout=dt.timedelta(minutes=3))
    service = Service(world.store, lambda: HOSTS, lambda: world.now, (), instances, limits)
    live = group(
        "staging",
        ec2=Ec2Targets(auto_scaling_groups=("web",)),
        load_balancer=LoadBalancing(target_groups=("web",)),
    )
    (forecast,) = service.forecast(manifest(live), revision("1"))
    assert isinstance(forecast, Forecast)
    assert {each.target for each in forecast.hosts} == {"staging-1", "staging-2", "i-1", "i-2"}
    assert forecast.traffic_wait == dt.timedelta(minutes=5)
    assert "BlockTraffic" in forecast.events


def test_a_forecast_finds_groups_without_hosts(service: Service) -> None:
    with pytest.raises(NoInstances):
        service.forecast(manifest(group("nowhere")), revision("1"))


def test_rolling_back_deploys_what_was_there_before(world: World, service: Service) -> None:
    one = manifest(group("production"))
    for digit in "12":
        world.push(digit, one)
        world.settle()
    made = service.roll_back(world.store.deployments()[0].id)
    world.settle()
    assert made is not None
    rollback = world.store.deployment(made)
    assert (rollback.creator, rollback.rollback, rollback.revision) == ("user", None, revision("1"))


def test_rolling_back_the_first_deployment_is_refused(world: World, service: Service) -> None:
    made = world.push("1", manifest(group("production")))[0]
    world.settle()
    with pytest.raises(DeploymentAlreadyCompleted, match="nothing to go back to"):
        service.roll_back(made)


def test_a_deployment_to_one_instance_that_auto_scaling_launched_is_nothing_to_roll_back(
    world: World, service: Service
) -> None:
    world.push("1", manifest(group("production")))
    world.settle()
    group_id = world.store.deployments()[0].group_id
    hook = LifecycleHook(
        group_id=group_id, place=AwsPlace(), auto_scaling_group="web", transition="launching", name="hook"
    )
    made = world.store.lifecycle_actions.begin(hook, "i-0123456789abcdef0", T0)
    assert made is not None
    with pytest.raises(UserError, match="is for one instance that Auto Scaling launched or ended"):
        service.roll_back(made)


def test_rolling_back_what_is_under_way_stops_it_and_rolls_back(world: World, service: Service) -> None:
    one = manifest(group("production"))
    world.push("1", one)
    world.settle()
    made = world.push("2", one)[0]
    actions = world.step(world.step([]))
    assert service.roll_back(made) is None
    while actions:
        actions = world.step(actions)
    assert world.statuses()["production 1 codeDeployRollback"] == "Succeeded"


def test_redeploy_by_deployment_group_and_application(world: World, service: Service) -> None:
    first = world.push("1")
    world.settle()
    world.push("2")
    world.settle()
    for what, digits in ((first[0], ["1"]), ("shop/production", ["2"]), ("shop", ["1", "2"])):
        made = service.redeploy(what, Options(description="again"))
        world.settle()
        assert [world.store.deployment(each).revision.short[0] for each in made] == digits, what
        assert all(world.store.deployment(each).status is DeploymentStatus.SUCCEEDED for each in made)


def test_redeploy_waits_for_no_group_before(world: World, service: Service) -> None:
    baked = manifest(group("staging"), group("production", after=After(group="staging", bake=dt.timedelta(hours=1))))
    world.push("1", baked)
    world.settle()
    world.tick(3601)
    world.settle()
    made = service.redeploy("shop/production")
    world.settle()
    assert world.store.deployment(made[0]).status is DeploymentStatus.SUCCEEDED


def test_redeploy_of_what_is_not_there_says_so(world: World, service: Service) -> None:
    with pytest.raises(ApplicationDoesNotExist):
        service.redeploy("nothing")
    world.push("1")
    with pytest.raises(UserError, match="nothing was ever deployed successfully to shop/staging"):
        service.redeploy("shop/staging")


def test_a_description_has_targets_and_journal(world: World, service: Service) -> None:
    made = world.push("1", manifest(group("production")))[0]
    world.settle()
    described = service.describe(made)
    assert [target.id for target in described.targets] == ["production-1", "production-2"]
    assert described.journal[-1].kind == "deployment succeeded"


def test_the_list_is_newest_first_and_can_be_narrowed(world: World, service: Service) -> None:
    world.push("1")
    world.settle()
    world.push("2")
    assert [each.revision.short[0] for each in service.list()] == ["2", "2", "1", "1"]
    assert len(service.list(active=True)) == 2
    assert len(service.list(application="shop", group="staging", limit=1)) == 1
