"""Targets in the wire API's shapes: `DeploymentTarget`, and the older `InstanceSummary`."""

from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.wire import Shape
from runner.model.target import Diagnostics, LifecycleEvent, Target

LONGEST_TAIL = 4096  # bytes. Source: CodeDeploy API reference, "Diagnostics"


def deployment_target(deployment_id: str, target: Target, arns: Arns) -> Shape:
    return {
        "deploymentTargetType": "InstanceTarget",
        "instanceTarget": {
            "deploymentId": deployment_id,
            "targetId": target.id,
            "targetArn": arns.instance(target.id),
            "status": str(target.status),
            "lastUpdatedAt": target.updated_at,
            "lifecycleEvents": [_lifecycle_event(event) for event in target.lifecycle_events],
        },
    }


def instance_summary(deployment_id: str, target: Target) -> Shape:
    return {
        "deploymentId": deployment_id,
        "instanceId": target.id,
        "status": str(target.status),
        "lastUpdatedAt": target.updated_at,
        "lifecycleEvents": [_lifecycle_event(event) for event in target.lifecycle_events],
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
