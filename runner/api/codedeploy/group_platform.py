"""What is wrong with a deployment group on its platform. In the shape of a DeploymentGroupInfo.

Source: CodeDeploy API reference, "CreateDeploymentGroup"; messages as received where known.
"""

import re
from collections.abc import Mapping
from typing import Any

from runner.api.codedeploy.group_traffic import LONGEST_READY_WAIT, listener
from runner.errors import Refused
from runner.model.application import DeploymentConfig
from runner.model.platform import ComputePlatform

_BLUE_GREEN = "InvalidBlueGreenDeploymentConfigurationException"
_PAIR = "InvalidTargetGroupPairException"
_LISTENER = re.compile(r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]*:[0-9]*:listener(-rule)?/\S+")
_SHIFTED = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}

Declared = Mapping[str, Any]


def default_style(platform: ComputePlatform) -> dict[str, str]:
    if platform == "Server":
        return {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
    return dict(_SHIFTED)


def default_config(platform: ComputePlatform) -> str:
    return (
        f"CodeDeployDefault.{ {'Server': 'OneAtATime', 'Lambda': 'LambdaAllAtOnce', 'ECS': 'ECSAllAtOnce'}[platform] }"
    )


def check_config(config: DeploymentConfig, platform: ComputePlatform) -> None:
    """Raises `Refused`, InvalidDeploymentConfigName."""
    if config.platform != platform:
        raise Refused(
            "InvalidDeploymentConfigNameException",
            f"{config.name} is a configuration for {config.platform}; the application is for {platform}",
        )


def check_platform(declared: Declared, platform: ComputePlatform) -> None:
    """Raises `Refused`."""
    if platform != "Server":
        _check_no_hosts(declared, platform)
    if platform != "ECS" and declared.get("ecsServices"):
        raise Refused("InvalidECSServiceException", f"the application is for {platform}; ecsServices are for ECS")
    _check_ready_wait(declared, platform)
    match platform:
        case "Server":
            _check_server(declared)
        case "Lambda":
            if (declared.get("deploymentStyle") or _SHIFTED) != _SHIFTED:
                raise _style(platform)
        case "ECS":
            _check_ecs(declared)


def _check_server(declared: Declared) -> None:
    style = declared.get("deploymentStyle") or {}
    balancers = declared.get("loadBalancerInfo") or {}
    if style.get("deploymentOption") == "WITH_TRAFFIC_CONTROL" and not any(balancers.values()):
        raise Refused(
            "InvalidLoadBalancerInfoException", "WITH_TRAFFIC_CONTROL needs a load balancer: loadBalancerInfo"
        )
    if balancers.get("targetGroupPairInfoList"):
        raise Refused(_PAIR, "pairs of target groups are for ECS")
    fleet = (declared.get("blueGreenDeploymentConfiguration") or {}).get("greenFleetProvisioningOption") or {}
    if fleet.get("action") == "COPY_AUTO_SCALING_GROUP" and len(declared.get("autoScalingGroups") or ()) != 1:
        raise Refused(_BLUE_GREEN, "Exactly one AutoScaling group must be specified for COPY_AUTO_SCALING_GROUP")


def _check_no_hosts(declared: Declared, platform: ComputePlatform) -> None:
    if declared.get("autoScalingGroups"):
        raise Refused("InvalidAutoScalingGroupException", f"the application is for {platform}: it has no instances")
    for members, code in (
        (("ec2TagFilters", "ec2TagSet"), "InvalidEC2TagException"),
        (("onPremisesInstanceTagFilters", "onPremisesTagSet"), "InvalidTagException"),
    ):
        if any(declared.get(member) for member in members):
            raise Refused(code, f"the application is for {platform}: it has no instances that have tags")


def _check_ecs(declared: Declared) -> None:
    if declared.get("deploymentStyle") != _SHIFTED:
        raise _style("ECS")
    balancers = declared.get("loadBalancerInfo") or {}
    if not any(balancers.values()):
        raise Refused(
            "InvalidLoadBalancerInfoException", "For ECS deployment group, loadBalancerInfo must be specified"
        )
    if balancers.get("elbInfoList"):
        raise Refused("InvalidLoadBalancerInfoException", "For ECS deployment group, must not contain elbInfo list")
    if not balancers.get("targetGroupPairInfoList"):
        raise Refused(
            "InvalidLoadBalancerInfoException", "For ECS deployment group, targetGroupPairInfoList must be specified"
        )
    for pair in balancers["targetGroupPairInfoList"]:
        _check_pair(pair)
    blue_green = declared.get("blueGreenDeploymentConfiguration")
    if not blue_green:
        raise Refused(_BLUE_GREEN, "For ECS deployment group, blueGreenDeploymentConfiguration must be specified")
    if (blue_green.get("terminateBlueInstancesOnDeploymentSuccess") or {}).get("action") == "KEEP_ALIVE":
        raise Refused(_BLUE_GREEN, "For ECS deployment group, the action on the original tasks must be TERMINATE")
    services = declared.get("ecsServices") or ()
    if len(services) != 1 or not all(each.get("serviceName") and each.get("clusterName") for each in services):
        raise Refused(
            "InvalidECSServiceException", "For ECS deployment group, exactly one service with its cluster is needed"
        )


def _check_pair(pair: Mapping[str, Any]) -> None:
    """Whether listeners and target groups are there, and fit each other, is seen when a deployment begins."""
    names = [group.get("name") for group in pair.get("targetGroups") or ()]
    if len(names) != 2 or len(set(names)) != 2:
        raise Refused(_PAIR, "a pair has two different target groups: of the old tasks and of the new")
    production, test = listener(pair, "prodTrafficRoute"), listener(pair, "testTrafficRoute")
    if production is None:
        raise Refused(_PAIR, "a pair has a prodTrafficRoute with one listener")
    for arn in (production, test):
        if arn is not None and not _LISTENER.fullmatch(arn):
            raise Refused(_PAIR, f"{arn!r} is no ARN of a listener, arn:aws:elasticloadbalancing:...:listener/...")
    if production == test:
        raise Refused(_PAIR, "testTrafficRoute has the listener of prodTrafficRoute; give it one of its own")


def _check_ready_wait(declared: Declared, platform: ComputePlatform) -> None:
    ready = (declared.get("blueGreenDeploymentConfiguration") or {}).get("deploymentReadyOption") or {}
    longest = LONGEST_READY_WAIT.get(platform)
    if longest is not None and (ready.get("waitTimeInMinutes") or 0) > longest:
        raise Refused(_BLUE_GREEN, f"For {platform} deployment group, waitTimeInMinutes must be at most {longest}")


def _style(platform: ComputePlatform) -> Refused:
    return Refused(
        "InvalidDeploymentStyleException",
        f"For {platform} deployment group, deploymentStyle must be BLUE_GREEN and WITH_TRAFFIC_CONTROL",
    )
