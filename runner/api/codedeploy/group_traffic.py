"""What a group that the wire API made means for deployments in AWS: where, which service, which waits, which alarms.

In the shape of a DeploymentGroupInfo, checked. Source: CodeDeploy API reference, the types that it names.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from runner.model.aws import AwsPlace
from runner.model.checks import Alarms
from runner.model.fleets import Green
from runner.model.manifest import BlueGreen
from runner.model.platform import ComputePlatform
from runner.model.services import Route, ServiceSettings
from runner.model.traffic import LoadBalancing

Declared = Mapping[str, Any]

# Minutes for which traffic may wait for somebody to let it move. Source: CodeDeploy user guide, "Deployments limits".
LONGEST_READY_WAIT: Mapping[ComputePlatform, int] = {"Server": 2880, "ECS": 7200}


def place(declared: Declared, region: str) -> AwsPlace:
    """*region*: that of the wire API, as groups have none of their own."""
    return AwsPlace(region=region, role=declared.get("serviceRoleArn") or None)


def balancing(declared: Declared, region: str) -> LoadBalancing | None:
    """The load balancers that instances are behind, None where traffic is not controlled."""
    if (declared.get("deploymentStyle") or {}).get("deploymentOption") != "WITH_TRAFFIC_CONTROL":
        return None
    info = declared.get("loadBalancerInfo") or {}
    return LoadBalancing(
        target_groups=tuple(dict.fromkeys(each["name"] for each in info.get("targetGroupInfoList") or ())),
        classic=tuple(dict.fromkeys(each["name"] for each in info.get("elbInfoList") or ())),
        place=place(declared, region),
    )


def green(declared: Declared) -> Green | None:
    """How servers are replaced, None where they are deployed to in place.

    On-premises instances are not. What replaces them and is there already is named with each deployment.
    """
    if (declared.get("deploymentStyle") or {}).get("deploymentType") != "BLUE_GREEN":
        return None
    fleet = (declared.get("blueGreenDeploymentConfiguration") or {}).get("greenFleetProvisioningOption") or {}
    return Green(copy=fleet.get("action") == "COPY_AUTO_SCALING_GROUP")


def service(declared: Declared) -> ServiceSettings | None:
    """The one ECS service of the group, None where it is for another platform."""
    services = declared.get("ecsServices") or ()
    if not services:
        return None
    pairs = (declared.get("loadBalancerInfo") or {}).get("targetGroupPairInfoList") or ()
    return ServiceSettings(
        cluster=services[0]["clusterName"],
        name=services[0]["serviceName"],
        routes=tuple(_route(pair) for pair in pairs),
    )


def _route(pair: Mapping[str, Any]) -> Route:
    return Route(
        listener=listener(pair, "prodTrafficRoute"),
        test_listener=listener(pair, "testTrafficRoute"),
        target_groups=tuple(group["name"] for group in pair.get("targetGroups") or ()),
    )


def listener(pair: Mapping[str, Any], route: str) -> str | None:
    """The one listener of *route* (`prodTrafficRoute`, `testTrafficRoute`) of a TargetGroupPairInfo."""
    return next(iter((pair.get(route) or {}).get("listenerArns") or ()), None)


def waits(declared: Declared, platform: ComputePlatform) -> BlueGreen:
    """A wait for somebody that has no length, or none above 0, is as long as it may be: it would stop every deployment."""
    shape = declared.get("blueGreenDeploymentConfiguration") or {}
    ready, end = shape.get("deploymentReadyOption") or {}, shape.get("terminateBlueInstancesOnDeploymentSuccess") or {}
    longest = LONGEST_READY_WAIT.get(platform)
    stops = ready.get("actionOnTimeout") == "STOP_DEPLOYMENT" and longest is not None
    # Instances end only where somebody said so; the tasks of a service always do.
    kept = end.get("action") != "TERMINATE" if platform == "Server" else end.get("action") == "KEEP_ALIVE"
    return BlueGreen(
        ready_wait=_minutes(ready.get("waitTimeInMinutes") or longest) if stops else None,
        termination_wait=None if kept else _minutes(end.get("terminationWaitTimeInMinutes")),
    )


def _minutes(number: int | None) -> dt.timedelta:
    return dt.timedelta(minutes=number or 0)


def alarms(configuration: Mapping[str, Any] | None) -> Alarms | None:
    """The alarms of an `AlarmConfiguration`, None when it is not enabled."""
    if not configuration or not configuration.get("enabled"):
        return None
    return Alarms(
        names=tuple(alarm["name"] for alarm in configuration.get("alarms") or ()),
        ignore_poll_failure=bool(configuration.get("ignorePollAlarmFailure")),
    )
