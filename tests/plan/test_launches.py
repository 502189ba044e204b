"""How an instance that Auto Scaling launches is deployed to."""

import datetime as dt

from store_cases import group

from runner.model.checks import Alarms
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green, Live
from runner.model.manifest import After
from runner.model.rollout import MinimumHealthyHosts, Rollout, Zonal
from runner.model.traffic import LoadBalancing
from runner.plan.batches import compile_rollout
from runner.plan.fleets import fleet_of
from runner.plan.launches import hooks, settings_of_launch, settings_of_update, updates_outdated
from runner.plan.lifecycle import server_in_place

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


def test_it_alone_is_deployed_to_in_place_without_waiting_for_anything() -> None:
    settings = settings_of_launch(WEB, "i-1")
    assert settings.ec2 == Ec2Targets(launching="i-1")
    assert (settings.tags, settings.tag_set, settings.green, settings.after) == ({}, (), None, None)
    assert (settings.rollback_on, settings.alarms) == ((), None)
    assert settings.load_balancer == WEB.load_balancer and settings.name == WEB.name


def test_a_minimum_of_several_healthy_hosts_does_not_keep_it_out() -> None:
    plan = compile_rollout(settings_of_launch(WEB, "i-1").rollout, 1)
    assert (plan.configuration, plan.window, plan.max_failed) == ("three-stay", 1, 0)


def test_traffic_is_let_in_and_never_blocked() -> None:
    events = server_in_place().of(settings_of_launch(WEB, "i-1"))
    assert events[0] == "ApplicationStop"
    assert events[-4:] == ("ValidateService", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")


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
