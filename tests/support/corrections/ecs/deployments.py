"""Services of the controller ECS: every change is a deployment with tasks of its own, watched by ECS's circuit breaker, and
told of as a service deployment. A strategy other than ROLLING is `blue_green.py`'s.
"""

import math
from typing import Any

from moto.core.utils import utcnow
from moto.ecs import models

from support.corrections.ecs import words
from support.corrections.ecs.fleet import FLEETS, Fleet
from support.corrections.ecs.tasks import Order

OVER = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


def begin(backend: models.EC2ContainerServiceBackend, service: models.Service) -> dict[str, Any]:
    """A deployment of the service as it is described now, before all others. Returns its service deployment."""
    now = utcnow()
    deployment = {
        "id": words.deployment_id(),
        "status": "PRIMARY",
        "taskDefinition": service.task_definition,
        "desiredCount": service.desired_count,
        "pendingCount": 0,
        "runningCount": 0,
        "failedTasks": 0,
        "createdAt": now,
        "updatedAt": now,
        "launchType": service.launch_type,
        "platformVersion": service.platform_version,
        "networkConfiguration": service.network_configuration or None,
        "capacityProviderStrategy": getattr(service, "capacity_provider_strategy", None),
    }
    order = Order(
        owner=deployment["id"],
        task_definition=service.task_definition,
        load_balancers=service.load_balancers,
        network=service.network_configuration or None,
        launch_type=service.launch_type,
        platform_version=service.platform_version,
    )
    Fleet(backend, service, order)
    _say(deployment, "IN_PROGRESS", f"ECS deployment {deployment['id']} in progress.")
    for other in service.deployments:
        other["status"] = "ACTIVE"
    service.deployments.insert(0, deployment)
    revision = {
        "serviceRevisionArn": words.arn(service, "service-revision"),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinition": service.task_definition,
        "launchType": service.launch_type,
        "platformVersion": service.platform_version,
        "loadBalancers": service.load_balancers,
        "networkConfiguration": service.network_configuration or None,
        "createdAt": now,
    }
    service.service_revisions.append(revision)
    deployment["revision"] = revision["serviceRevisionArn"]
    return _follow(service, deployment)


def _follow(service: models.Service, deployment: dict[str, Any]) -> dict[str, Any]:
    """The service deployment of *deployment*; one that was under way ends, replaced."""
    now = utcnow()
    for each in service.service_deployments:
        if each["status"] not in OVER:
            each.update(
                status="STOPPED", statusReason="A newer service deployment began.", stoppedAt=now, finishedAt=now
            )
    breaker = service.deployment_configuration.get("deploymentCircuitBreaker") or {}
    made = {
        "serviceDeploymentArn": words.arn(service, "service-deployment"),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "status": "IN_PROGRESS",
        "createdAt": now,
        "startedAt": now,
        "updatedAt": now,
        "targetServiceRevision": _revision(deployment),
        "sourceServiceRevisions": [_revision(each) for each in service.deployments[1:]],
        "targetServiceRevisionArn": deployment["revision"],
        "deploymentConfiguration": service.deployment_configuration,
        "deploymentCircuitBreaker": {
            "status": "MONITORING" if breaker.get("enable") else "DISABLED",
            "failureCount": 0,
            "threshold": _threshold(service),
        },
        "deployment": deployment["id"],
    }
    service.service_deployments.insert(0, made)
    return made


def tick(service: models.Service) -> None:
    """One step of a rolling update: new tasks up to the maximum, old ones down to the minimum."""
    primary, *others = service.deployments
    fleet = FLEETS[primary["id"]]
    configuration, wanted = service.deployment_configuration, service.desired_count
    most = math.floor(wanted * configuration["maximumPercent"] / 100)
    least = math.ceil(wanted * configuration["minimumHealthyPercent"] / 100)
    old = sum(len(FLEETS[each["id"]].tasks) for each in others)
    fleet.desired = wanted if not others else max(min(wanted, most - old), min(wanted, len(fleet.tasks)))
    kept = 0 if wanted == 0 else max(0, least - fleet.healthy)
    for each in others:
        other = FLEETS[each["id"]]
        other.desired, other.launching = min(other.desired, kept), False
        kept -= other.desired
    if primary["rolloutState"] != "COMPLETED":
        check_breaker(service, primary)
        drop_empty(service)
        if len(service.deployments) == 1 and fleet.is_steady():
            complete(service, primary)
    refresh(service)


def drop_empty(service: models.Service) -> None:
    """Deployments that were replaced and have no tasks any more are not told of."""
    for each in service.deployments[1:]:
        if FLEETS[each["id"]].is_empty():
            service.deployments.remove(each)
            del FLEETS[each["id"]]


def check_breaker(service: models.Service, deployment: dict[str, Any]) -> None:
    """As many failures in a row as the threshold: no more tasks are started; what was before comes back, if asked for."""
    fleet, breaker = FLEETS[deployment["id"]], service.deployment_configuration.get("deploymentCircuitBreaker") or {}
    if not breaker.get("enable") or fleet.failed < _threshold(service) or deployment["rolloutState"] == "FAILED":
        return
    fleet.launching = False
    words.note(service, f"(deployment {deployment['id']}) deployment failed: tasks failed to start.")
    reason = "ECS deployment circuit breaker: tasks failed to start."
    followed = current(service)
    if followed:
        followed["deploymentCircuitBreaker"]["status"] = "TRIGGERED"
    if breaker.get("rollback") and last_completed(service):
        roll_back(service, reason)
    else:
        _say(deployment, "FAILED", reason)
        if followed:
            finish(followed, "STOPPED", reason)


def roll_back(service: models.Service, reason: str) -> None:
    """The deployment that completed last becomes the primary one again, and the failed one is replaced by it."""
    failed, before = service.deployments[0], last_completed(service)
    assert before is not None
    _say(failed, "FAILED", reason)
    failed["status"], before["status"] = "ACTIVE", "PRIMARY"
    back = f"rolling back to deploymentId {before['id']}."
    _say(before, "IN_PROGRESS", f"ECS deployment circuit breaker: {back}")
    words.note(service, back)
    service.deployments.remove(before)
    service.deployments.insert(0, before)
    for name, value in (("task_definition", before["taskDefinition"]), ("platform_version", before["platformVersion"])):
        setattr(service, name, value)
    service.load_balancers = FLEETS[before["id"]].order.load_balancers
    FLEETS[before["id"]].launching = True
    if followed := current(service):
        followed["status"], followed["statusReason"] = "ROLLBACK_IN_PROGRESS", reason
        followed["rollback"] = {"reason": reason, "startedAt": utcnow(), "serviceRevisionArn": before["revision"]}


def last_completed(service: models.Service) -> dict[str, Any] | None:
    """Of those before the primary one."""
    return next((each for each in service.deployments[1:] if each["rolloutState"] == "COMPLETED"), None)


def complete(service: models.Service, deployment: dict[str, Any]) -> None:
    if deployment["rolloutState"] == "FAILED":
        return
    _say(deployment, "COMPLETED", f"ECS deployment {deployment['id']} completed.")
    words.note(service, f"(deployment {deployment['id']}) deployment completed.")
    words.note(service, "has reached a steady state.")
    if followed := current(service):
        finish(
            followed, "ROLLBACK_SUCCESSFUL" if "rollback" in followed else "SUCCESSFUL", followed.get("statusReason")
        )


def finish(followed: dict[str, Any], status: str, reason: str | None = None) -> None:
    """A service deployment ends."""
    now = utcnow()
    followed.update(status=status, statusReason=reason, finishedAt=now, updatedAt=now)
    if followed["deploymentCircuitBreaker"]["status"] == "MONITORING":
        followed["deploymentCircuitBreaker"]["status"] = "MONITORING_COMPLETE"
    if status == "STOPPED":
        followed["stoppedAt"] = now


def current(service: models.Service) -> dict[str, Any] | None:
    """The service deployment under way."""
    return next((each for each in service.service_deployments if each["status"] not in OVER), None)


def refresh(service: models.Service) -> None:
    """Counts of what there is."""
    for each in service.deployments:
        fleet = FLEETS[each["id"]]
        each.update(desiredCount=fleet.desired, runningCount=fleet.running, pendingCount=fleet.pending)
        each["failedTasks"] = max(fleet.failed, each["failedTasks"] if each["rolloutState"] == "FAILED" else 0)
    if service.deployments and service.deployments[0]["rolloutState"] != "FAILED":
        service.deployments[0]["desiredCount"] = service.desired_count
    service.running_count = sum(each["runningCount"] for each in service.deployments)
    service.pending_count = sum(each["pendingCount"] for each in service.deployments)
    if followed := current(service):
        for each in service.deployments:
            if each["id"] == followed["deployment"]:
                weights = {"requestedProductionTrafficWeight": followed.get("weight", 0.0)}
                weights["requestedTestTrafficWeight"] = followed.get("test_weight", 0.0)
                followed["targetServiceRevision"] = {**_revision(each), **weights}
                followed["deploymentCircuitBreaker"]["failureCount"] = each["failedTasks"]


def _revision(deployment: dict[str, Any]) -> dict[str, Any]:
    return {
        "arn": deployment["revision"],
        "requestedTaskCount": deployment.get("desiredCount", 0),
        "runningTaskCount": deployment.get("runningCount", 0),
        "pendingTaskCount": deployment.get("pendingCount", 0),
    }


def _threshold(service: models.Service) -> int:
    """API reference, ServiceDeploymentCircuitBreaker: half of the desired tasks, at least 3, at most 200."""
    return max(3, min(200, math.ceil(0.5 * service.desired_count)))


def _say(deployment: dict[str, Any], state: str, reason: str) -> None:
    deployment.update(rolloutState=state, rolloutStateReason=reason, updatedAt=utcnow())
