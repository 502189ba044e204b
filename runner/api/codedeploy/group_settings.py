"""A deployment group's settings from what the wire API was told: kept as told, and compiled for deployments."""

from collections.abc import Mapping
from typing import Any

from runner.api.codedeploy import group_traffic
from runner.api.codedeploy.group_checks import rollback_on
from runner.api.codedeploy.tag_filters import tag_filters, tag_set
from runner.model.application import DeploymentConfig
from runner.model.ec2 import Ec2Targets, Process
from runner.model.manifest import GroupSettings, Trigger
from runner.model.platform import ComputePlatform
from runner.model.tags import TagSet

_KEPT = (
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "deploymentStyle",
    "outdatedInstancesStrategy",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ecsServices",
    "ec2DeploymentOptions",
    "terminationHookEnabled",
)
_TAGS = (("ec2TagFilters", "ec2TagSet"), ("onPremisesInstanceTagFilters", "onPremisesTagSet"))


def merged(declared: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """What the group is declared as once *params* are heard, in the shape of a DeploymentGroupInfo.

    A member that is given replaces the old one as a whole; either form of tags replaces both.
    """
    made = {**declared, **{member: params[member] for member in _KEPT if member in params}}
    if "autoScalingGroups" in params:
        made["autoScalingGroups"] = [{"name": name} for name in params["autoScalingGroups"]]
    for flat, whole in _TAGS:
        if flat in params or whole in params:
            made.pop(flat, None)
            made.pop(whole, None)
            if params.get(flat):
                made[flat] = params[flat]
            elif (params.get(whole) or {}).get(f"{whole}List"):
                made[whole] = params[whole]
    return made


def settings(
    name: str, declared: dict[str, Any], config: DeploymentConfig, platform: ComputePlatform, region: str
) -> GroupSettings:
    """*declared*: checked. *region*: where its targets are."""
    green = group_traffic.green(declared) if platform == "Server" else None
    on_premises = _tag_set(declared, "onPremisesInstanceTagFilters", "onPremisesTagSet", "InvalidTagException")
    return GroupSettings(
        name=name,
        tag_set=() if green else on_premises,
        ec2=_ec2(declared),
        termination_hook=bool(declared.get("terminationHookEnabled")),
        rollout=config.rollout,
        rollback_on=rollback_on(declared.get("autoRollbackConfiguration")),
        triggers=tuple(
            Trigger(
                name=trigger["triggerName"],
                to=f"sns:{trigger['triggerTargetArn']}",
                on=tuple(dict.fromkeys(trigger["triggerEvents"])),
            )
            for trigger in declared.get("triggerConfigurations") or ()
        ),
        load_balancer=group_traffic.balancing(declared, region) if platform == "Server" else None,
        platform=platform,
        place=group_traffic.place(declared, region),
        service=group_traffic.service(declared),
        blue_green=group_traffic.waits(declared, platform),
        green=green,
        alarms=group_traffic.alarms(declared.get("alarmConfiguration")),
        declared=declared,
    )


def _ec2(declared: Mapping[str, Any]) -> Ec2Targets:
    return Ec2Targets(
        tag_set=_tag_set(declared, "ec2TagFilters", "ec2TagSet", "InvalidEC2TagException"),
        auto_scaling_groups=tuple(group["name"] for group in declared.get("autoScalingGroups") or ()),
        suspended=suspended(declared.get("ec2DeploymentOptions")),
    )


def suspended(options: Mapping[str, Any] | None) -> tuple[Process, ...]:
    """The processes that an `EC2DeploymentOptions` names."""
    return tuple((options or {}).get("autoScalingGroupProcessesToSuspend") or ())


def _tag_set(declared: Mapping[str, Any], flat: str, whole: str, code: str) -> TagSet:
    """*flat*, *whole*: the members of both forms. A flat list is one group."""
    if filters := declared.get(flat):
        return (tag_filters(filters, code),)
    return tag_set((declared.get(whole) or {}).get(f"{whole}List") or (), code)
