"""Deployments that would need what this version does not do. They are refused before anything is created."""

from runner.errors import Refused
from runner.model.application import Group


def check_built(group: Group) -> None:
    """Raises `Refused` when a deployment to servers needs more than in-place work on known hosts."""
    if group.platform != "Server":
        return
    style = group.settings.declared.get("deploymentStyle") or {}
    if style.get("deploymentType") == "BLUE_GREEN":
        raise _missing("InvalidInputException", "deploymentType BLUE_GREEN on servers", "set IN_PLACE")
    if style.get("deploymentOption") == "WITH_TRAFFIC_CONTROL":
        raise _missing(
            "InvalidLoadBalancerInfoException",
            "loadBalancerInfo (AWS load balancers)",
            "set deploymentOption WITHOUT_TRAFFIC_CONTROL; HAProxy can be named in a manifest",
        )
    _check_hosts(group)


def _check_hosts(group: Group) -> None:
    """Hosts that a group has in EC2 would be left out without a word."""
    advice = "name its hosts by onPremisesTagSet or onPremisesInstanceTagFilters alone"
    if group.settings.declared.get("autoScalingGroups"):
        raise _missing("InvalidAutoScalingGroupException", "autoScalingGroups", advice)
    for member in ("ec2TagFilters", "ec2TagSet"):
        if group.settings.declared.get(member):
            raise _missing("InvalidInputException", member, advice)


def _missing(code: str, setting: str, advice: str) -> Refused:
    return Refused(code, f"{setting} is not built yet in this version of Penstock; {advice}")


def refuse_restart() -> Refused:
    return _missing("InvalidInputException", "deploymentMode RESTART", "deploy the revision again (STANDARD)")
