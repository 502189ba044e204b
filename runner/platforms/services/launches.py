"""Deployments of a service that ECS itself carries out, as it shows them: which is the newest, how it goes, how it ended.

"Launches" here, so that the word deployment stays ours. Everything here blocks.
"""

from typing import Any

from runner.errors import Refused
from runner.platforms.services.calls import Calls
from runner.platforms.services.service import describe
from runner.platforms.services.work import Work

RUNNING = frozenset({"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
_HOOK = 1440  # minutes that ECS waits for a lifecycle hook unless its configuration says otherwise

Shown = dict[str, Any]  # a service deployment, as ListServiceDeployments or DescribeServiceDeployments shows it


def newest(calls: Calls, cluster: str, service: str) -> Shown | None:
    """In brief; None when there was none, or only some that are too old for ECS to remember."""
    answer = calls.ecs("list_service_deployments", cluster=cluster, service=service, maxResults=20)
    return max(answer["serviceDeployments"], key=lambda each: each["createdAt"], default=None)


def brings(calls: Calls, shown: Shown, task_definition: str | None) -> bool:
    """Whether a service deployment is one to *task_definition* (ARN)."""
    revision = _described(calls, shown["serviceDeploymentArn"]).get("targetServiceRevision", {}).get("arn")
    if not revision:
        return False
    found = calls.ecs("describe_service_revisions", serviceRevisionArns=[revision])["serviceRevisions"]
    return any(each.get("taskDefinition") == task_definition for each in found)


def progress(work: Work, arn: str) -> str:
    """What is still to come; "" when it was successful. Raises when it was not, once ECS has come to an end."""
    shown = _described(work.calls, arn)
    status = shown["status"]
    if status == "SUCCESSFUL":
        return ""
    if status not in RUNNING:
        raise Refused("ECS_UPDATE_ERROR", f"ECS's deployment ended {status}{_reasons(shown)}{_events(work)}")
    return f"ECS: {status}, {shown.get('lifecycleStage', 'begins')}{_weights(shown)}{_pauses(shown)}{_reasons(shown)}"


def rolled_back(work: Work, arn: str) -> str:
    """What is still to come; "" when ECS has gone back, or had been successful before it could."""
    shown = _described(work.calls, arn)
    if shown["status"] in RUNNING:
        return f"ECS: {shown['status']}, {shown.get('lifecycleStage', '')}{_weights(shown)}"
    if shown["status"] == "ROLLBACK_FAILED":
        raise Refused("ECS_UPDATE_ERROR", f"ECS could not roll back{_reasons(shown)}{_events(work)}")
    return ""


def minutes_of(configuration: dict[str, Any]) -> float:
    """The longest that ECS's waits and hooks may take together."""
    linear, canary = configuration.get("linearConfiguration") or {}, configuration.get("canaryConfiguration") or {}
    steps = -(-100 // linear["stepPercent"]) if linear.get("stepPercent") else 0
    hooks = [
        each.get("timeoutConfiguration", {}).get("timeoutInMinutes", _HOOK)
        * max(1, len(each.get("lifecycleStages", [])))
        for each in configuration.get("lifecycleHooks") or []
    ]
    waits = (configuration.get("bakeTimeInMinutes", 0), steps * linear.get("stepBakeTimeInMinutes", 0))
    return float(sum(waits) + canary.get("canaryBakeTimeInMinutes", 0) + sum(hooks))


def _described(calls: Calls, arn: str) -> Shown:
    answer = calls.ecs("describe_service_deployments", serviceDeploymentArns=[arn])
    if not answer["serviceDeployments"]:
        raise Refused("ECS_UPDATE_ERROR", f"ECS knows nothing of its deployment {arn} any more")
    found: Shown = answer["serviceDeployments"][0]
    return found


def _weights(shown: Shown) -> str:
    weight = shown.get("targetServiceRevision", {}).get("requestedProductionTrafficWeight")
    return "" if weight is None else f", {weight:g} % of the traffic"


def _pauses(shown: Shown) -> str:
    """Hooks of the service for which somebody must do something."""
    waiting = [each for each in shown.get("lifecycleHookDetails", []) if each.get("status") == "AWAITING_ACTION"]
    return "".join(f", hook {each.get('hookId')} waits for ContinueServiceDeployment" for each in waiting)


def _reasons(shown: Shown) -> str:
    said = (shown.get("statusReason"), shown.get("rollback", {}).get("reason"))
    return "".join(f": {each}" for each in dict.fromkeys(said) if each)


def _events(work: Work) -> str:
    return "".join(
        f"\nevent {line}" for line in describe(work.calls, work.spec.cluster, work.spec.service).events(work.began)
    )
