"""What Auto Scaling is told of a deployment group, and how an instance that it launches or ends is deployed to. Pure.

Source: CodeDeploy user guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
"""

import datetime as dt
import re

import msgspec

from runner.model.deployment import Creator, DeploymentStatus
from runner.model.ec2 import Ec2Targets, HeldInstance, Transition
from runner.model.fleets import Live
from runner.model.lifecycle_actions import ActionResult, LifecycleAction, LifecycleHook
from runner.model.manifest import GroupSettings
from runner.plan.fleets import of_fleet, sides

CREATORS: dict[Transition, Creator] = {"launching": "autoscaling", "terminating": "autoscalingTermination"}
"""Who creates the deployment to an instance that is held."""

_NAMES: dict[Transition, str] = {"launching": "launch", "terminating": "termination"}

# With the time-out of a hook, which counts from the last heartbeat, an instance that ends waits no longer than an hour.
_ENDING_WAITS = dt.timedelta(minutes=50)


def hooks(group_id: str, settings: GroupSettings, live: Live | None) -> list[LifecycleHook]:
    """Those of each Auto Scaling group of the fleet that has the traffic. Their names change with the group's."""
    if settings.platform != "Server":
        return []
    own, _ = sides(settings, live)
    transitions: tuple[Transition, ...] = ("launching", "terminating") if settings.termination_hook else ("launching",)
    return [
        LifecycleHook(
            group_id=group_id,
            place=settings.place,
            auto_scaling_group=each,
            transition=transition,
            name=_name(group_id, settings.name, transition),
        )
        for each in own.ec2.auto_scaling_groups
        for transition in transitions
    ]


def _name(group_id: str, group: str, transition: Transition) -> str:
    safe = re.sub("[^A-Za-z0-9_/-]", "-", group)
    return f"CodeDeploy-managed-automatic-{_NAMES[transition]}-deployment-hook-{safe}-{group_id}"


def settings_of_held(settings: GroupSettings, held: HeldInstance) -> GroupSettings:
    """The group's *settings* for a deployment in place to the instance *held* alone.

    Of a single host no configuration asks for more than that it succeeds: a minimum of healthy hosts that counts more
    than one could never be met. Alarms do not stop it either: what is short of instances may well sound one.
    """
    rollout = msgspec.structs.replace(settings.rollout, minimum_healthy=None, max_failed=0, zonal=None, steps=())
    alone = msgspec.structs.replace(settings, tags={}, tag_set=(), ec2=Ec2Targets(held=held))
    return msgspec.structs.replace(
        alone, rollout=rollout, after=None, rollback_on=(), green=None, alarms=None, checks={}
    )


def settings_of_update(settings: GroupSettings, live: Live | None) -> GroupSettings:
    """The group's *settings* for a deployment in place to those of its hosts that are outdated."""
    own, _ = sides(settings, live)
    return msgspec.structs.replace(of_fleet(settings, own), after=None, green=None)


def updates_outdated(settings: GroupSettings) -> bool:
    return bool(settings.declared.get("outdatedInstancesStrategy", "UPDATE") != "IGNORE")


def result(transition: Transition, deployment_id: str | None, status: DeploymentStatus | None) -> ActionResult | None:
    """What Auto Scaling is to be told, once the instance's deployment has ended. *status*: None when it was deleted.

    Where there was nothing to deploy, an instance that is launched is as good as the others are: none of them has a
    revision. One that ends is never kept from it.
    """
    if deployment_id is None or status is DeploymentStatus.SUCCEEDED:
        return "CONTINUE"
    if status is not None and not status.is_terminal:
        return None
    return "ABANDON" if transition == "launching" else "CONTINUE"


def is_overdue(action: LifecycleAction, now: dt.datetime) -> bool:
    """Whether the instance ends now, however far its deployment is."""
    return action.hook.transition == "terminating" and now - action.begun_at >= _ENDING_WAITS
