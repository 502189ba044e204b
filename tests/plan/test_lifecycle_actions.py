"""How an instance that Auto Scaling launches or ends is deployed to, and what Auto Scaling is told."""

import datetime as dt

import msgspec
from store_cases import group

from runner.model.aws import AwsPlace
from runner.model.checks import Alarms
from runner.model.deployment import DeploymentStatus
from runner.model.ec2 import Ec2Targets, HeldInstance
from runner.model.fleets import Fleet, Green, Live
from runner.model.lifecycle_actions import LifecycleAction, LifecycleHook
from runner.model.manifest import After
from runner.model.rollout import MinimumHealthyHosts, Rollout, Zonal
from runner.model.traffic import LoadBalancing
from runner.plan.batches import compile_rollout
from runner.plan.fleets import fleet_of
from runner.plan.lifecycle import server_in_place
from runner.plan.lifecycle_actions import (
    hooks,
    is_overdue,
    result,
    settings_of_held,
    settings_of_update,
    updates_outdated,
)

ROLLOUT = Rollout(name="three-stay", minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=3), zonal=Zonal())
WEB = group(
    "web server",
    rollout=ROLLOUT,
    after=After(group="staging", bake=dt.timedelta(hours=1)),
    rollback_on=("DEPLOYMENT_FAILURE",),
    alarms=Alarms(names=("errors",)),
    green=Green(copy=True),
    load_balancer=LoadBalancing(target_groups=("web",)),
    ec2=Ec2Targets(auto_scaling_groups=("a", "b"), suspended=("Terminate",)),
)
LAUNCHED = HeldInstance(instance="i-1", transition="launching")
ENDING = HeldInstance(instance="i-1", transition="terminating")


def test_it_alone_is_deployed_to_in_place_without_waiting_for_anything() -> None:
    settings = settings_of_held(WEB, LAUNCHED)
    assert settings.ec2 == Ec2Targets(held=LAUNCHED)
    assert (settings.tags, settings.tag_set, settings.green, settings.after) == ({}, (), None, None)
    assert (settings.rollback_on, settings.alarms) == ((), None)
    assert settings.load_balancer == WEB.load_balancer and settings.name == WEB.name


def test_a_minimum_of_several_healthy_hosts_does_not_keep_it_out() -> None:
    plan = compile_rollout(settings_of_held(WEB, LAUNCHED).rollout, 1)
    assert (plan.configuration, plan.window, plan.max_failed) == ("three-stay", 1, 0)


def test_traffic_is_let_in_and_never_blocked() -> None:
    events = server_in_place().of(settings_of_held(WEB, LAUNCHED))
    assert events[0] == "ApplicationStop"
    assert events[-4:] == ("ValidateService", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")


def test_on_one_that_ends_traffic_is_blocked_and_the_application_stopped_and_no_more() -> None:
    settings = settings_of_held(WEB, ENDING)
    block = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
    assert server_in_place().of(settings) == (*block, "ApplicationStop")
    assert server_in_place().of(settings_of_held(group("web"), ENDING)) == ("ApplicationStop",)


def test_one_that_ends_is_never_kept_from_it() -> None:
    for status in DeploymentStatus:
        assert result("terminating", "d-1", status) == ("CONTINUE" if status.is_terminal else None)
    assert result("terminating", "d-1", None) == result("terminating", None, None) == "CONTINUE"


def test_one_that_is_launched_enters_service_with_a_success_or_with_nothing_to_deploy() -> None:
    assert result("launching", None, None) == result("launching", "d-1", DeploymentStatus.SUCCEEDED) == "CONTINUE"
    assert result("launching", "d-1", DeploymentStatus.FAILED) == result("launching", "d-1", None) == "ABANDON"
    assert result("launching", "d-1", DeploymentStatus.CREATED) is None


def test_one_that_ends_waits_for_less_than_an_hour_and_one_that_is_launched_as_long_as_it_takes() -> None:
    at, later = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.timedelta(minutes=50)
    for transition, overdue in (("launching", False), ("terminating", True)):
        hook = LifecycleHook(group_id="g", place=AwsPlace(), auto_scaling_group="a", transition=transition, name="n")
        action = LifecycleAction(hook=hook, instance="i-1", deployment_id="d-1", begun_at=at, beaten_at=at)
        assert is_overdue(action, at + later) is overdue
        assert not is_overdue(action, at + later - dt.timedelta(seconds=1))


def test_the_hook_for_instances_that_end_is_there_where_the_group_wants_it() -> None:
    settings = msgspec.structs.replace(WEB, termination_hook=True)
    found = [(hook.auto_scaling_group, hook.transition) for hook in hooks("0f-1", settings, None)]
    assert found == [(name, transition) for name in "ab" for transition in ("launching", "terminating")]
    ending = hooks("0f-1", settings, None)[1]
    assert ending.name == "CodeDeploy-managed-automatic-termination-deployment-hook-web-server-0f-1"


def test_there_is_a_hook_for_each_auto_scaling_group_and_its_name_is_one_that_aws_takes() -> None:
    one, two = hooks("0f-1", WEB, None)
    assert (one.auto_scaling_group, two.auto_scaling_group) == ("a", "b")
    assert one.name == two.name == "CodeDeploy-managed-automatic-launch-deployment-hook-web-server-0f-1"
    assert hooks("0f-1", group("web"), None) == []


def test_hooks_and_updates_follow_the_fleet_that_has_the_traffic() -> None:
    live = Live(fleet=Fleet(ec2=Ec2Targets(auto_scaling_groups=("c",))), instead_of=fleet_of(WEB))
    assert [hook.auto_scaling_group for hook in hooks("0f-1", WEB, live)] == ["c"]
    update = settings_of_update(WEB, live)
    assert update.ec2.auto_scaling_groups == ("c",)
    assert (update.green, update.after) == (None, None)


def test_outdated_instances_are_updated_unless_the_group_ignores_them() -> None:
    assert updates_outdated(WEB)
    assert not updates_outdated(group("web", declared={"outdatedInstancesStrategy": "IGNORE"}))
