"""Deployment groups in the wire API's shape: those it made as it was told, a manifest's translated."""

from collections.abc import Iterable, Mapping
from typing import Any

from runner.api.codedeploy import group_traffic
from runner.api.codedeploy.group_platform import default_style
from runner.api.codedeploy.group_translated import blue_green, translated
from runner.api.codedeploy.wire import Shape, revision_location
from runner.model.application import Group
from runner.model.lifecycle_actions import LifecycleHook
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.ports.catalog import Attempt


def group_info(group: Group, attempts: Mapping[str, Attempt], hooks: Iterable[LifecycleHook]) -> Shape:
    """A `DeploymentGroupInfo`. *attempts*: at least those of the group. *hooks*: of its Auto Scaling groups."""
    named = with_hooks(hooks)
    settings = declared(group.settings, group.platform)
    return {
        "applicationName": group.application,
        "deploymentGroupId": group.id,
        "deploymentGroupName": group.name,
        "deploymentConfigName": group.settings.rollout.name,
        "computePlatform": group.platform,
        "targetRevision": revision_location(group.target_revision) if group.target_revision else None,
        "lastSuccessfulDeployment": _attempt(attempts.get(group.last_successful or "")),
        "lastAttemptedDeployment": _attempt(attempts.get(group.last_attempted or "")),
        **settings,
        "autoScalingGroups": [named.get(each["name"], each) for each in settings["autoScalingGroups"]],
    }


def declared(settings: GroupSettings, platform: ComputePlatform) -> Shape:
    """The members of a `DeploymentGroupInfo` that say how to deploy, with their defaults."""
    told = {**(settings.declared or translated(settings))}
    if settings.declared and platform == "ECS":
        told["blueGreenDeploymentConfiguration"] = _waits(settings.declared)
    return {
        "autoScalingGroups": [],
        "triggerConfigurations": [],
        "outdatedInstancesStrategy": "UPDATE",
        "deploymentStyle": default_style(platform),
        "terminationHookEnabled": False,
        **({} if "ec2TagSet" in told else {"ec2TagFilters": []}),
        **({} if "onPremisesTagSet" in told else {"onPremisesInstanceTagFilters": []}),
        **told,
    }


def with_hooks(hooks: Iterable[LifecycleHook]) -> dict[str, Shape]:
    """The Auto Scaling groups that have any of *hooks*, by name, each as an `AutoScalingGroup`."""
    found: dict[str, Shape] = {}
    for each in hooks:
        shape = found.setdefault(each.auto_scaling_group, {"name": each.auto_scaling_group})
        shape["hook" if each.transition == "launching" else "terminationHook"] = each.name
    return found


def _waits(declared: Mapping[str, Any]) -> Shape:
    """With what was left out: `aws ecs deploy` adds the two waits up, and fails where one is missing."""
    waits = group_traffic.waits(declared, "ECS")
    given = declared.get("blueGreenDeploymentConfiguration") or {}
    return {**given, **blue_green(waits.ready_wait, waits.termination_wait)}


def _attempt(attempt: Attempt | None) -> Shape | None:
    """A `LastDeploymentInfo`."""
    if attempt is None:
        return None
    return {
        "deploymentId": attempt.id,
        "status": str(attempt.status),
        "endTime": attempt.completed_at,
        "createTime": attempt.created_at,
    }
