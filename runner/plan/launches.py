"""What Auto Scaling is told of a deployment group, and how an instance that it launches is deployed to. Pure.

Source: CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
"""

import re

import msgspec

from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Live
from runner.model.launches import LaunchHook
from runner.model.manifest import GroupSettings
from runner.plan.fleets import of_fleet, sides

_PREFIX = "CodeDeploy-managed-automatic-launch-deployment-hook"


def hooks(group_id: str, settings: GroupSettings, live: Live | None) -> list[LaunchHook]:
    """One for each Auto Scaling group of the fleet that has the traffic. Their names change with the group's."""
    if settings.platform != "Server":
        return []
    own, _ = sides(settings, live)
    name = f"{_PREFIX}-{re.sub('[^A-Za-z0-9_/-]', '-', settings.name)}-{group_id}"
    return [
        LaunchHook(group_id=group_id, place=settings.place, auto_scaling_group=each, name=name)
        for each in own.ec2.auto_scaling_groups
    ]


def settings_of_launch(settings: GroupSettings, instance: str) -> GroupSettings:
    """The group's *settings* for a deployment in place to *instance* alone.

    Of a single host no configuration asks for more than that it succeeds: a minimum of healthy hosts that counts more
    than one could never be met. Alarms do not stop it either: what is short of instances may well sound one.
    """
    rollout = msgspec.structs.replace(settings.rollout, minimum_healthy=None, max_failed=0, zonal=None, steps=())
    alone = msgspec.structs.replace(settings, tags={}, tag_set=(), ec2=Ec2Targets(launching=instance))
    return msgspec.structs.replace(
        alone, rollout=rollout, after=None, rollback_on=(), green=None, alarms=None, checks={}
    )


def settings_of_update(settings: GroupSettings, live: Live | None) -> GroupSettings:
    """The group's *settings* for a deployment in place to those of its hosts that are outdated."""
    own, _ = sides(settings, live)
    return msgspec.structs.replace(of_fleet(settings, own), after=None, green=None)


def updates_outdated(settings: GroupSettings) -> bool:
    return bool(settings.declared.get("outdatedInstancesStrategy", "UPDATE") != "IGNORE")
