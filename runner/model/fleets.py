"""Two fleets: in a blue/green deployment on servers, the hosts of the replacement take over from those of the original."""

from typing import Literal, TypeAlias

from runner.model.ec2 import Ec2Targets
from runner.model.tags import TagSet
from runner.model.value import Value

Label: TypeAlias = Literal["Blue", "Green"]
"""Blue: a host of the original. Green: of the replacement."""


class Fleet(Value, frozen=True, kw_only=True):
    """Which hosts; the members mean what those of `GroupSettings` mean."""

    tags: dict[str, tuple[str, ...]] = {}
    tag_set: TagSet = ()
    ec2: Ec2Targets = Ec2Targets()


class Live(Value, frozen=True, kw_only=True):
    """The *fleet* that has the traffic of a group of a manifest, *instead_of* the one that the manifest names.

    A manifest that names another one by now was changed since, and counts again.
    """

    fleet: Fleet
    instead_of: Fleet


class Green(Value, frozen=True, kw_only=True):
    """Where the replacement comes from: hosts that are there already, or a *copy* of the group's Auto Scaling group.

    *fleet* None where it is a copy, and in a group whose deployments say it one by one.
    Source: CodeDeploy API reference, "GreenFleetProvisioningOption", "TargetInstances".
    """

    fleet: Fleet | None = None
    copy: bool = False
