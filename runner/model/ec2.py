"""Targets in EC2: which instances belong to a deployment group."""

from typing import Literal, TypeAlias

from runner.model.tags import TagSet
from runner.model.value import Value

Process: TypeAlias = Literal["Terminate", "AZRebalance", "InstanceRefresh", "ScheduledActions"]
"""Of an Auto Scaling group, that could take an instance away in the middle of a deployment."""


Transition: TypeAlias = Literal["launching", "terminating"]
"""What Auto Scaling does with an instance, at which a lifecycle hook holds it."""


class HeldInstance(Value, frozen=True, kw_only=True):
    """The *instance* (its ID) that a lifecycle hook of Auto Scaling holds in *transition*."""

    instance: str
    transition: Transition


class Ec2Targets(Value, frozen=True, kw_only=True):
    """The instances that match *tag_set*, and those of *auto_scaling_groups* (names). Empty: none is.

    *held*: the one instance, alone, that Auto Scaling holds until it is deployed to.

    *suspended*: what those groups shall not do during a deployment. Source: CodeDeploy API reference,
    "CreateDeploymentGroup" (ec2TagSet, autoScalingGroups, ec2DeploymentOptions).
    """

    tag_set: TagSet = ()
    auto_scaling_groups: tuple[str, ...] = ()
    held: HeldInstance | None = None
    suspended: tuple[Process, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tag_set or self.auto_scaling_groups or self.held)

    def __str__(self) -> str:
        """For people: `app=web or app=api and stage=production, Auto Scaling group web`."""
        tags = " and ".join(" or ".join(map(str, group)) for group in self.tag_set)
        groups = [f"Auto Scaling group {name}" for name in self.auto_scaling_groups]
        return ", ".join([*([tags] if tags else []), *groups, *([self.held.instance] if self.held else [])])
