"""A deployment in the shape of the wire API's `DeploymentInfo`. Members without a value are None, and left out."""

from runner.api.codedeploy.group_info import declared
from runner.api.codedeploy.group_translated import auto_rollback, termination_wait
from runner.api.codedeploy.wire import Shape, revision_location
from runner.model.deployment import Deployment, DeploymentStatus, ErrorInformation, RollbackInfo
from runner.ports.deployments import Related

# The API's enumeration has no word for two ends of ours; the message says what happened.
_OUR_CODES = {
    "SUPERSEDED": "RESOURCE_LIMIT_EXCEEDED",  # a group runs one deployment at a time, and a newer one came
    "DEPENDENCY": "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND",  # the group before never got the revision
}


def deployment_info(deployment: Deployment, related: Related | None = None) -> Shape:
    """Flags are told though they are false, and lists though they are empty. Source: answers as received."""
    settings, options = deployment.settings, deployment.options
    of_group = declared(settings, settings.platform)
    return {
        "applicationName": deployment.application,
        "deploymentGroupName": deployment.group,
        "deploymentConfigName": settings.rollout.name,
        "deploymentId": deployment.id,
        "previousRevision": revision_location(deployment.previous_revision) if deployment.previous_revision else None,
        "revision": revision_location(deployment.revision),
        "status": str(deployment.status),
        "errorInformation": _error(deployment.error),
        "createTime": deployment.created_at,
        "startTime": deployment.started_at,
        "completeTime": deployment.completed_at,
        "deploymentOverview": _overview(deployment),
        "description": options.description or None,
        "creator": deployment.creator,
        "ignoreApplicationStopFailures": options.ignore_application_stop_failures,
        "autoRollbackConfiguration": options.declared.get("autoRollbackConfiguration") or auto_rollback(settings),
        "updateOutdatedInstancesOnly": options.update_outdated_instances_only,
        "rollbackInfo": _rollback(deployment.rollback),
        "deploymentStyle": of_group["deploymentStyle"],
        "targetInstances": options.declared.get("targetInstances"),
        "instanceTerminationWaitTimeStarted": _waits_for_termination(deployment),
        "blueGreenDeploymentConfiguration": of_group.get("blueGreenDeploymentConfiguration"),
        "loadBalancerInfo": of_group.get("loadBalancerInfo"),
        "fileExistsBehavior": options.file_exists_behavior,
        "deploymentStatusMessages": [f"waits for {deployment.waiting_for}"] if deployment.waiting_for else [],
        "computePlatform": settings.platform,
        "relatedDeployments": _related(related) if related else None,
        "ec2DeploymentOptions": options.declared.get("ec2DeploymentOptions") or of_group.get("ec2DeploymentOptions"),
        "overrideAlarmConfiguration": options.declared.get("overrideAlarmConfiguration"),
    }


def _related(related: Related) -> Shape:
    return {
        "autoUpdateOutdatedInstancesRootDeploymentId": related.root,
        "autoUpdateOutdatedInstancesDeploymentIds": list(related.updates),
    }


def _overview(deployment: Deployment) -> Shape:
    counts = deployment.overview
    return {
        "Pending": counts.Pending,
        "InProgress": counts.InProgress,
        "Succeeded": counts.Succeeded,
        "Failed": counts.Failed,
        "Skipped": counts.Skipped,
        "Ready": counts.Ready,
    }


def _waits_for_termination(deployment: Deployment) -> bool:
    """From the moment on at which traffic has moved, and ever after. Source: CodeDeploy API reference, "DeploymentInfo"."""
    if deployment.wait == "termination":
        return True
    green = deployment.settings.green
    waits = (green is not None or deployment.settings.platform == "ECS") and bool(termination_wait(deployment.settings))
    undoes = deployment.rollback is not None and deployment.rollback.rollback_triggering_deployment_id is not None
    counts = deployment.overview
    if not waits or undoes or not counts.Succeeded:
        return False
    if green is None:
        return True
    if green.copy and not deployment.status.is_terminal:
        return False  # its group gets the load balancer first
    left = counts.Pending + counts.InProgress + counts.Ready + counts.Skipped
    return left == 0 and deployment.status is not DeploymentStatus.FAILED


def _error(error: ErrorInformation | None) -> Shape | None:
    return {"code": _OUR_CODES.get(error.code, error.code), "message": error.message} if error else None


def _rollback(info: RollbackInfo | None) -> Shape | None:
    if info is None:
        return None
    return {
        "rollbackDeploymentId": info.rollback_deployment_id,
        "rollbackTriggeringDeploymentId": info.rollback_triggering_deployment_id,
        "rollbackMessage": info.rollback_message,
    }
