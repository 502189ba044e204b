"""Targets in the wire API's shapes: `DeploymentTarget`, and the older `InstanceSummary`."""

from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.traffic_target_info import function_info, task_sets
from runner.api.codedeploy.wire import Shape
from runner.model.deployment import Deployment
from runner.model.functions import LambdaState
from runner.model.program import OUR_ACTS
from runner.model.services import EcsState
from runner.model.target import Diagnostics, LifecycleEvent, Target

LONGEST_TAIL = 4096  # bytes. Source: CodeDeploy API reference, "Diagnostics"


def deployment_target(deployment: Deployment, target: Target, arns: Arns) -> Shape:
    kind, member, own = _of_platform(deployment, target, arns)
    shared = {"deploymentId": deployment.id, "targetId": target.id, **_progress(target)}
    return {"deploymentTargetType": kind, member: {**shared, **own}}


def _of_platform(deployment: Deployment, target: Target, arns: Arns) -> tuple[str, str, Shape]:
    """The target's type, the member that holds it, and what only such targets have."""
    place, state = deployment.settings.place, target.state
    match deployment.settings.platform:
        case "Server":
            return (
                "InstanceTarget",
                "instanceTarget",
                {"targetArn": arns.target(target.id, place), "instanceLabel": target.label},
            )
        case "Lambda":
            info = function_info(state) if isinstance(state, LambdaState) else None
            arn = arns.function(target.id, place)
            return "LambdaTarget", "lambdaTarget", {"targetArn": arn, "lambdaFunctionInfo": info}
        case "ECS":
            sets = task_sets(state) if isinstance(state, EcsState) else None
            cluster, _, name = target.id.partition(":")
            return "ECSTarget", "ecsTarget", {"targetArn": arns.service(cluster, name, place), "taskSetsInfo": sets}


def instance_summary(deployment_id: str, target: Target) -> Shape:
    return {"deploymentId": deployment_id, "instanceId": target.id, **_progress(target), "instanceType": target.label}


def _progress(target: Target) -> Shape:
    return {
        "status": str(target.status),
        "lastUpdatedAt": target.updated_at,
        "lifecycleEvents": [_lifecycle_event(event) for event in target.lifecycle_events if event.name not in OUR_ACTS],
    }


def _lifecycle_event(event: LifecycleEvent) -> Shape:
    return {
        "lifecycleEventName": event.name,
        "diagnostics": _diagnostics(event.diagnostics) if event.diagnostics else None,
        "startTime": event.started_at,
        "endTime": event.ended_at,
        "status": str(event.status),
    }


def _diagnostics(diagnostics: Diagnostics) -> Shape:
    return {
        "errorCode": diagnostics.error_code,
        "scriptName": diagnostics.script_name,
        "message": diagnostics.message,
        "logTail": tail(diagnostics.log_tail),
    }


def tail(log: str) -> str:
    """Its last bytes; a character that would be cut is left out."""
    return log.encode(errors="replace")[-LONGEST_TAIL:].decode(errors="ignore")
