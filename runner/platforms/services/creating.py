"""The replacement's task set, created once. Everything here blocks."""

import re
from typing import Any

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services.forwarding import forwarding, is_on, replacement_groups
from runner.platforms.services.service import Service, Shown, describe, seen
from runner.platforms.services.work import Work

_BY_CONTROLLER = re.compile(r"(?i)task set.*(external|code_deploy)")
OURS = re.compile(r"d-[A-Z0-9]{9}")  # what we write into externalId: a deployment's ID


def create(work: Work) -> str:
    """Note the task set of this deployment; make it where there is none. Answers what was done.

    Looks first; the client token covers what a look does not show yet.
    """
    service = describe(work.calls, work.spec.cluster, work.spec.service)
    shown = _find(service, work.task.job.deployment_id)
    said = "task set {} is there already"
    if shown is not None and shown["status"] == "DRAINING":
        raise Refused("ECS_UPDATE_ERROR", f"task set {shown['id']} of this deployment was deleted by somebody else")
    if shown is None:
        _check_primary(work, service)
        _clear_away(work, service)
        shown = _ask_for_it(work, service)
        work.changed()
        said = "created task set {}"
    work.note(replacement=seen(service, shown, "Green", 0, work.state.pairs[0][1]))
    return said.format(shown["id"])


def _find(service: Service, deployment_id: str) -> Shown | None:
    """The task set that the deployment has created."""
    sets = [each for each in service.shown.get("taskSets", []) if each.get("externalId") == deployment_id]
    return sets[0] if sets else None


def _check_primary(work: Work, service: Service) -> None:
    original, primary = work.state.original, service.primary
    if primary is None or original is None or primary["id"] != original.id:
        raise Refused(
            "ECS_UPDATE_ERROR",
            f"the primary task set of service {work.spec.service} was {original.id if original else 'none'} when the "
            f"deployment began and is {primary['id'] if primary else 'none'} now: somebody else deploys to it",
        )


def _clear_away(work: Work, service: Service) -> None:
    """Delete what a deployment that failed without a rollback has left in the replacement's place, unless it is used."""
    greens = set(replacement_groups(work))
    for each in service.task_sets:
        if each["status"] == "PRIMARY" or not any(is_on(each, green) for green in greens):
            continue
        if not OURS.fullmatch(each.get("externalId") or ""):
            raise Refused(
                "INVALID_ECS_SERVICE",
                f"task set {each['id']} of service {work.spec.service} runs in the target group that the deployment needs, "
                f"and no deployment has made it. If nobody needs it: aws ecs delete-task-set --force --cluster "
                f"{work.spec.cluster} --service {work.spec.service} --task-set {each['id']}",
            )
        if used := forwarding(work, greens):
            raise Refused("ELASTIC_LOAD_BALANCING_INVALID", f"task set {each['id']} still has traffic from {used}")
        work.say(f"deleting task set {each['id']}, which deployment {each['externalId']} has left behind")
        work.calls.ecs(
            "delete_task_set", cluster=work.spec.cluster, service=work.spec.service, taskSet=each["id"], force=True
        )


def _ask_for_it(work: Work, service: Service) -> Shown:
    try:
        answer = work.calls.ecs("create_task_set", **_wanted(work, service))
    except Refused as error:
        raise _told(work, service, error) from error
    task_set: Shown = answer["taskSet"]
    return task_set


def _told(work: Work, service: Service, error: Refused) -> Refused:
    cause = error.__cause__
    refused = isinstance(cause, AwsError) and cause.aws_code == "InvalidParameterException"
    if not refused or service.controller != "CODE_DEPLOY" or not _BY_CONTROLLER.search(error.message):
        return error
    return Refused(
        "INVALID_ECS_SERVICE",
        f"service {work.spec.service} has the deployment controller CODE_DEPLOY, and ECS lets only AWS CodeDeploy itself "
        f"make task sets there ({error.message}). Create the service with --deployment-controller type=EXTERNAL",
    )


def _wanted(work: Work, service: Service) -> dict[str, Any]:
    """Parameters of CreateTaskSet: what the revision does not say is as the primary task set has it."""
    spec, model = work.spec, service.primary or {}
    balancers = [
        {"targetGroupArn": green, "containerName": spec.container, "containerPort": spec.port}
        for green in replacement_groups(work)
    ]
    network = spec.network or model.get("networkConfiguration") or service.shown.get("networkConfiguration")
    percent = 100 if work.task.act.scale is None else work.task.act.scale
    return {
        "cluster": spec.cluster,
        "service": spec.service,
        "taskDefinition": work.state.task_definition or spec.task_definition,
        "externalId": work.task.job.deployment_id,
        "clientToken": work.task.job.deployment_id,
        "loadBalancers": balancers,
        "scale": {"value": float(percent), "unit": "PERCENT"},
        **({"networkConfiguration": network} if network else {}),
        **({"serviceRegistries": model["serviceRegistries"]} if model.get("serviceRegistries") else {}),
        **_where(work, model),
    }


def _where(work: Work, model: Shown) -> dict[str, Any]:
    """On what the tasks run. A platform version is for Fargate only."""
    spec = work.spec
    providers = list(spec.capacity_providers) or model.get("capacityProviderStrategy") or []
    if providers:
        found: dict[str, Any] = {"capacityProviderStrategy": providers}
        on_fargate = all(each["capacityProvider"].startswith("FARGATE") for each in providers)
    else:
        found = {"launchType": model["launchType"]} if model.get("launchType") else {}
        on_fargate = found.get("launchType") == "FARGATE"
    version = spec.platform_version or (model.get("platformVersion") if on_fargate else None)
    return {**found, "platformVersion": version} if version else found
