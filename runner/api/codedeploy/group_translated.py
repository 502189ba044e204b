"""A manifest's deployment group in the shape of a DeploymentGroupInfo."""

import datetime as dt
from typing import Any

from runner.api.codedeploy.wire import Shape
from runner.model.checks import Alarms
from runner.model.fleets import Green
from runner.model.manifest import GroupSettings, Trigger
from runner.model.rollout import RetireStep
from runner.model.services import Route, ServiceSettings
from runner.model.tags import TagFilter
from runner.model.traffic import LoadBalancing, target_group_name


def translated(settings: GroupSettings) -> Shape:
    made: dict[str, Any] = {
        "serviceRoleArn": settings.place.role,
        "triggerConfigurations": [_trigger(trigger) for trigger in settings.triggers],
        "autoRollbackConfiguration": auto_rollback(settings),
        "alarmConfiguration": _alarms(settings.alarms) if settings.alarms else None,
    }
    if settings.service:
        made |= _service(settings.service)
        ready = settings.blue_green.ready_wait
        made["blueGreenDeploymentConfiguration"] = blue_green(ready, termination_wait(settings))
    elif settings.platform == "Server":
        made |= _hosts(settings)
    return {name: value for name, value in made.items() if value is not None}


def auto_rollback(settings: GroupSettings) -> Shape:
    """An `AutoRollbackConfiguration`."""
    return {"enabled": bool(settings.rollback_on), "events": list(settings.rollback_on)}


def _trigger(trigger: Trigger) -> Shape:
    """A webhook has no ARN, and stands there as the manifest names it."""
    return {
        "triggerName": trigger.name or trigger.to.rsplit(":", 1)[-1],
        "triggerTargetArn": trigger.to.removeprefix("sns:"),
        "triggerEvents": list(trigger.on),
    }


def _alarms(alarms: Alarms) -> Shape:
    return {
        "enabled": True,
        "ignorePollAlarmFailure": alarms.ignore_poll_failure,
        "alarms": [{"name": name} for name in alarms.names],
    }


def _hosts(settings: GroupSettings) -> Shape:
    """Of a key, one of the values must be there; so each key is a group of the tag set."""
    made: dict[str, Any] = {}
    if settings.tags:
        made["onPremisesTagSet"] = {
            "onPremisesTagSetList": [
                [{"Key": key, "Value": value, "Type": "KEY_AND_VALUE"} for value in values]
                for key, values in settings.tags.items()
            ]
        }
    if settings.ec2.tag_set:
        made["ec2TagSet"] = {"ec2TagSetList": [[_filter(each) for each in group] for group in settings.ec2.tag_set]}
    if settings.ec2.auto_scaling_groups:
        made["autoScalingGroups"] = [{"name": name} for name in settings.ec2.auto_scaling_groups]
        made["terminationHookEnabled"] = settings.termination_hook
    if settings.load_balancer:
        kind = "IN_PLACE" if settings.green is None else "BLUE_GREEN"
        made["deploymentStyle"] = {"deploymentType": kind, "deploymentOption": "WITH_TRAFFIC_CONTROL"}
        made["loadBalancerInfo"] = _balancers(settings.load_balancer)
    if settings.green:
        made["blueGreenDeploymentConfiguration"] = _replacing(settings, settings.green)
    return made


def _replacing(settings: GroupSettings, green: Green) -> Shape:
    waits = settings.blue_green
    action = "COPY_AUTO_SCALING_GROUP" if green.copy else "DISCOVER_EXISTING"
    return {
        **blue_green(waits.ready_wait, waits.termination_wait),
        "greenFleetProvisioningOption": {"action": action},
    }


def _filter(tag: TagFilter) -> Shape:
    """An `EC2TagFilter`; a manifest's have both."""
    return {"Key": tag.key, "Value": tag.value, "Type": "KEY_AND_VALUE"}


def _balancers(balancing: LoadBalancing) -> Shape:
    """CodeDeploy knows no HAProxy: a backend stands among the target groups."""
    groups = [*map(str, balancing.haproxy), *map(target_group_name, balancing.target_groups)]
    made = {"targetGroupInfoList": [{"name": name} for name in groups]} if groups else {}
    if balancing.classic:
        made["elbInfoList"] = [{"name": name} for name in balancing.classic]
    return made


def _service(service: ServiceSettings) -> Shape:
    made: dict[str, Any] = {"ecsServices": [{"serviceName": service.name, "clusterName": service.cluster}]}
    if service.routes:
        made["loadBalancerInfo"] = {"targetGroupPairInfoList": [_pair(route) for route in service.routes]}
    return made


def _pair(route: Route) -> Shape:
    """A `TargetGroupPairInfo`. A manifest may have several; CodeDeploy has one."""
    made: dict[str, Any] = {"targetGroups": [{"name": target_group_name(each)} for each in route.target_groups]}
    for member, listener in (("prodTrafficRoute", route.listener), ("testTrafficRoute", route.test_listener)):
        if listener:
            made[member] = {"listenerArns": [listener]}
    return made


def termination_wait(settings: GroupSettings) -> dt.timedelta | None:
    """How long the original lives on, None for ever. The rollout's `retire` stands above the group's own wait."""
    retire = next((step for step in settings.rollout.steps if isinstance(step, RetireStep)), None)
    return retire.after if retire else settings.blue_green.termination_wait


def blue_green(ready: dt.timedelta | None, end: dt.timedelta | None) -> Shape:
    """A `BlueGreenDeploymentConfiguration` with these waits, as `model.manifest.BlueGreen` has them."""
    return {
        "terminateBlueInstancesOnDeploymentSuccess": (
            {"action": "KEEP_ALIVE"}
            if end is None
            else {"action": "TERMINATE", "terminationWaitTimeInMinutes": _minutes(end)}
        ),
        "deploymentReadyOption": (
            {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}
            if ready is None
            else {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": _minutes(ready)}
        ),
    }


def _minutes(duration: dt.timedelta) -> int:
    """Whole ones, a begun one counted."""
    return -(-int(duration.total_seconds()) // 60)
