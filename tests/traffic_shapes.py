"""What clients of the wire API send for Lambda functions and ECS services, as they would."""

import hashlib
import json
from typing import Any

ROLE = "arn:aws:iam::111122223333:role/deploys"
PLACE = "arn:aws:elasticloadbalancing:eu-west-1:111122223333"
LISTENER, TEST_LISTENER = f"{PLACE}:listener/app/web/1/80", f"{PLACE}:listener/app/web/1/8080"
SHIFTED = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
PAIR: dict[str, Any] = {
    "targetGroups": [{"name": "blue"}, {"name": "green"}],
    "prodTrafficRoute": {"listenerArns": [LISTENER]},
    "testTrafficRoute": {"listenerArns": [TEST_LISTENER]},
}


def service_group(ready: int | None = None, termination: int = 0, **more: Any) -> dict[str, Any]:
    """Members of a CreateDeploymentGroup for ECS. *ready*, *termination*: minutes to wait; ready None continues at once."""
    option: dict[str, Any] = {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}
    if ready is not None:
        option = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": ready}
    return {
        "serviceRoleArn": ROLE,
        "deploymentStyle": SHIFTED,
        "ecsServices": [{"serviceName": "web", "clusterName": "main"}],
        "loadBalancerInfo": {"targetGroupPairInfoList": [PAIR]},
        "blueGreenDeploymentConfiguration": {
            "deploymentReadyOption": option,
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": termination,
            },
        },
        **more,
    }


def function_appspec(current: str = "1", target: str = "2", **hooks: str) -> dict[str, Any]:
    """A revision that takes `live` of the function `shop` from *current* to *target*."""
    names = {"Name": "shop", "Alias": "live", "CurrentVersion": current, "TargetVersion": target}
    return _appspec({"shop": {"Type": "AWS::Lambda::Function", "Properties": names}}, hooks)


def service_appspec(
    task_definition: str = "web:2", container: str = "web", port: int = 80, **hooks: str
) -> dict[str, Any]:
    """A revision that brings *task_definition* to an ECS service."""
    properties = {
        "TaskDefinition": task_definition,
        "LoadBalancerInfo": {"ContainerName": container, "ContainerPort": port},
    }
    return _appspec({"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}, hooks)


def _appspec(resource: dict[str, Any], hooks: dict[str, str]) -> dict[str, Any]:
    document = {"version": 0.0, "Resources": [resource], "Hooks": [{event: name} for event, name in hooks.items()]}
    content = json.dumps(document)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content, "sha256": digest}}
