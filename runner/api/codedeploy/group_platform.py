"""What is wrong with a deployment group on its platform. In the shape of a DeploymentGroupInfo.

Source: CodeDeploy API reference, "CreateDeploymentGroup"; messages as received where known.
"""

from collections.abc import Mapping
from typing import Any

from runner.errors import Refused
from runner.model.application import DeploymentConfig
from runner.model.platform import ComputePlatform

_BLUE_GREEN = "InvalidBlueGreenDeploymentConfigurationException"
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
        raise Refused("InvalidTargetGroupPairException", "pairs of target groups are for ECS")
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
    for pair in balancers.get("targetGroupPairInfoList") or ():
        if len(pair.get("targetGroups") or ()) != 2:
            raise Refused(
                "InvalidTargetGroupPairException", "a pair has two target groups: of the old tasks and the new"
            )
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


def _style(platform: ComputePlatform) -> Refused:
    return Refused(
        "InvalidDeploymentStyleException",
        f"For {platform} deployment group, deploymentStyle must be BLUE_GREEN and WITH_TRAFFIC_CONTROL",
    )
