"""`targetInstances`: the hosts that replace those of a deployment group in a blue/green deployment on servers.

Source: CodeDeploy API reference, "TargetInstances", "CreateDeployment".
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from runner.api.call import Params
from runner.api.codedeploy.tag_filters import tag_filters, tag_set
from runner.errors import Refused
from runner.model.application import Group
from runner.model.ec2 import Ec2Targets
from runner.model.fleets import Fleet, Green
from runner.model.manifest import GroupSettings

_CODE = "InvalidTargetInstancesException"
_MOST_GROUPS = 10  # Auto Scaling groups, as for a deployment group


def check_target_instances(params: Params, group: Group, settings: GroupSettings) -> None:
    """Whether they are given where they are needed, and nowhere else. Raises `Refused`."""
    given = params.get("targetInstances")
    if given and group.platform != "Server":
        raise Refused(_CODE, f"targetInstances are for servers; this application is for {group.platform}")
    if given and settings.green is None:
        raise Refused(
            _CODE,
            f"targetInstances are the replacements of a blue/green deployment; {group.name} is deployed to in place",
        )
    if given and settings.green is not None and settings.green.copy:
        raise Refused(_CODE, f"{group.name} copies its Auto Scaling group; leave targetInstances out")
    if settings.green == Green() and not fleet(given or {}).ec2:
        raise Refused(
            _CODE,
            f"a deployment to {group.name} needs targetInstances, which say by tags or Auto Scaling groups which instances "
            "replace the present ones",
        )


def with_target_instances(settings: GroupSettings, params: Params) -> GroupSettings:
    """*settings* with the replacement that the deployment names; checked."""
    given = params.get("targetInstances")
    if not given or settings.green is None:
        return settings
    return msgspec.structs.replace(settings, green=Green(fleet=fleet(given)))


def fleet(shape: Mapping[str, Any]) -> Fleet:
    """Of a `TargetInstances`. Raises `Refused`."""
    flat, whole = shape.get("tagFilters") or (), (shape.get("ec2TagSet") or {}).get("ec2TagSetList") or ()
    names = shape.get("autoScalingGroups") or ()
    if flat and whole:
        raise Refused(_CODE, "targetInstances have either tagFilters or an ec2TagSet, not both")
    if len(names) > _MOST_GROUPS:
        raise Refused(_CODE, f"{len(names)} Auto Scaling groups are too many; at most {_MOST_GROUPS} are allowed")
    tags = (tag_filters(flat, _CODE),) if flat else tag_set(whole, _CODE)
    return Fleet(ec2=Ec2Targets(tag_set=tags, auto_scaling_groups=tuple(dict.fromkeys(names))))
