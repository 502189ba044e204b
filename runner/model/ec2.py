"""Targets in EC2: which instances belong to a deployment group."""

from runner.model.tags import TagSet
from runner.model.value import Value


class Ec2Targets(Value, frozen=True, kw_only=True):
    """The instances that match *tag_set*, and those of *auto_scaling_groups* (names). Empty: none is.

    Source: CodeDeploy API reference, "CreateDeploymentGroup" (ec2TagSet, autoScalingGroups).
    """

    tag_set: TagSet = ()
    auto_scaling_groups: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tag_set or self.auto_scaling_groups)

    def __str__(self) -> str:
        """For people: `app=web or app=api and stage=production, Auto Scaling group web`."""
        tags = " and ".join(" or ".join(map(str, group)) for group in self.tag_set)
        groups = [f"Auto Scaling group {name}" for name in self.auto_scaling_groups]
        return ", ".join([*([tags] if tags else []), *groups])
