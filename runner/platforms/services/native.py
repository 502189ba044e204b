"""ECS's own blue/green, canary and linear deployments (controller ECS, another strategy than ROLLING): asked for and
watched to their end. Their hooks, waits and weights are the service's own configuration.

`EcsState.original.arn` is the service's newest deployment when ours began; a newer one is ours, or somebody else's.
"""

import datetime as dt
from functools import partial
from typing import Any

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services import task_definitions, updating
from runner.platforms.services.calls import Calls
from runner.platforms.services.rolling import shown_as_task_set
from runner.platforms.services.service import Service, describe
from runner.platforms.services.work import Work

_RUNNING = frozenset({"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
_HOOK = 1440  # minutes that ECS waits for a lifecycle hook unless its configuration says otherwise

Shown = dict[str, Any]  # a service deployment, as DescribeServiceDeployments shows it


async def deploy(work: Work) -> None:
    """Event Install: ask for the new task definition, and follow the service deployment that this makes."""
    wanted = await task_definitions.pinned(work)
    work.note(task_definition=wanted)
    await _allow_time(work)
    arn = await _asked(work, wanted)
    await _follow(work, arn)
    await work.do(partial(_note, work, moved=True))


async def go_back(work: Work) -> None:
    """In a rollback: ECS rolls back what still runs; what has ended is followed by a deployment of what was before."""
    original, ours = work.state.original, work.state.task_definition
    if original is None or not original.task_definition:
        raise Refused("INVALID_ECS_SERVICE", "what the service ran before is not known")
    await _allow_time(work)
    await work.soon(lambda: "" if _brings(work, _newest(work), ours) else "it is not shown, or another one is")
    newest = await work.do(partial(_newest, work))
    if newest is not None and newest["status"] in _RUNNING and await work.do(partial(_brings, work, newest, ours)):
        await work.do(partial(_stop, work, newest))
        await work.until(partial(_rolled_back, work, newest["serviceDeploymentArn"]))
    service = await work.do(partial(_look, work))
    newest = await work.do(partial(_newest, work))
    if service.shown.get("taskDefinition") != original.task_definition and not await work.do(
        partial(_stays, work, newest, original.task_definition)
    ):
        await work.do(partial(updating.update, work, service, original.task_definition))
        await _follow(work, await _appeared(work, newest, original.task_definition))
    await work.do(partial(_note, work, moved=False))


def newest_arn(calls: Calls, cluster: str, service: str) -> str:
    """ARN of the newest deployment of the service; "" when there was none."""
    listed = _listed(calls, cluster, service)
    return str(listed[-1]["serviceDeploymentArn"]) if listed else ""


async def _asked(work: Work, wanted: str) -> str:
    """ARN of our service deployment; UpdateService is called only when there is none after the one from before."""
    since = work.state.original.arn if work.state.original else ""
    before = await work.do(partial(_newest, work))
    if before is None or before["serviceDeploymentArn"] == since:
        service = await work.do(partial(_look, work))
        await work.do(partial(updating.update, work, service, wanted))
        return await _appeared(work, before, wanted)
    if not await work.do(partial(_brings, work, before, wanted)):
        raise Refused("ECS_UPDATE_ERROR", f"somebody else deploys to service {work.spec.service} meanwhile")
    return str(before["serviceDeploymentArn"])


async def _appeared(work: Work, before: Shown | None, wanted: str) -> str:
    """Wait until ECS shows a service deployment after *before*."""
    known = before["serviceDeploymentArn"] if before else ""
    found: list[str] = []

    def look() -> str:
        newest = _newest(work)
        if newest is None or newest["serviceDeploymentArn"] == known or not _brings(work, newest, wanted):
            return "ECS has not begun yet"
        found.append(newest["serviceDeploymentArn"])
        return ""

    await work.until(look)
    return found[-1]


async def _follow(work: Work, arn: str) -> None:
    await work.until(partial(_progress, work, arn))


def _progress(work: Work, arn: str) -> str:
    """What is still to come; "" when it was successful. Raises when it was not, once ECS has come to an end."""
    shown = _described(work, arn)
    status = shown["status"]
    if status == "SUCCESSFUL":
        return ""
    if status not in _RUNNING:
        raise Refused("ECS_UPDATE_ERROR", f"ECS's deployment ended {status}{_reasons(shown)}{_events(work)}")
    return f"ECS: {status}, {shown.get('lifecycleStage', 'begins')}{_weights(shown)}{_pauses(shown)}{_reasons(shown)}"


def _rolled_back(work: Work, arn: str) -> str:
    shown = _described(work, arn)
    if shown["status"] in _RUNNING:
        return f"ECS: {shown['status']}, {shown.get('lifecycleStage', '')}{_weights(shown)}"
    if shown["status"] == "ROLLBACK_FAILED":
        raise Refused("ECS_UPDATE_ERROR", f"ECS could not roll back{_reasons(shown)}{_events(work)}")
    return ""


def _stop(work: Work, shown: Shown) -> None:
    """Nothing to do where it goes back already, or has ended since it was looked at."""
    arn = shown["serviceDeploymentArn"]
    if shown["status"] not in ("PENDING", "IN_PROGRESS"):
        return
    try:
        work.calls.ecs("stop_service_deployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    except Refused as error:
        if not isinstance(error.__cause__, AwsError) or error.__cause__.aws_code != "ConflictException":
            raise
    work.changed()
    work.say(f"asked ECS to roll back {arn}")


def _stays(work: Work, newest: Shown | None, former: str) -> bool:
    """Whether ECS itself has gone back to *former*."""
    return newest is not None and (newest["status"] == "ROLLBACK_SUCCESSFUL" or _brings(work, newest, former))


def _brings(work: Work, shown: Shown | None, task_definition: str | None) -> bool:
    """Whether a service deployment is one to *task_definition* (ARN)."""
    revision = shown and _described(work, shown["serviceDeploymentArn"]).get("targetServiceRevision", {}).get("arn")
    if not revision:
        return False
    found = work.calls.ecs("describe_service_revisions", serviceRevisionArns=[revision])["serviceRevisions"]
    return any(each.get("taskDefinition") == task_definition for each in found)


def _newest(work: Work) -> Shown | None:
    listed = _listed(work.calls, work.spec.cluster, work.spec.service)
    return listed[-1] if listed else None


def _listed(calls: Calls, cluster: str, service: str) -> list[Shown]:
    """Oldest first."""
    found = calls.ecs("list_service_deployments", cluster=cluster, service=service, maxResults=20)["serviceDeployments"]
    return sorted(found, key=lambda each: each["createdAt"])


def _described(work: Work, arn: str) -> Shown:
    answer = work.calls.ecs("describe_service_deployments", serviceDeploymentArns=[arn])
    if not answer["serviceDeployments"]:
        raise Refused("ECS_UPDATE_ERROR", f"ECS knows nothing of its deployment {arn} any more")
    found: Shown = answer["serviceDeployments"][0]
    return found


def _weights(shown: Shown) -> str:
    weight = shown.get("targetServiceRevision", {}).get("requestedProductionTrafficWeight")
    return "" if weight is None else f", {weight:g}% of the traffic"


def _pauses(shown: Shown) -> str:
    """Hooks of the service for which somebody must do something."""
    waiting = [each for each in shown.get("lifecycleHookDetails", []) if each.get("status") == "AWAITING_ACTION"]
    return "".join(f", hook {each.get('hookId')} waits for ContinueServiceDeployment" for each in waiting)


def _reasons(shown: Shown) -> str:
    said = (shown.get("statusReason"), shown.get("rollback", {}).get("reason"))
    return "".join(f": {each}" for each in dict.fromkeys(said) if each)


def _events(work: Work) -> str:
    return "".join(f"\nevent {line}" for line in _look(work).events(work.began))


async def _allow_time(work: Work) -> None:
    """Beside our own limit, the time that the service's own waits and hooks may take."""
    service = await work.do(partial(_look, work))
    work.ends += dt.timedelta(minutes=minutes_of(service.shown.get("deploymentConfiguration", {})))


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


def _note(work: Work, *, moved: bool) -> None:
    primary = _look(work).primary_deployment
    if moved and primary is not None:
        work.note(replacement=shown_as_task_set(primary, 100))
    work.note(weight=100 if moved else 0, moved=moved)


def _look(work: Work) -> Service:
    return describe(work.calls, work.spec.cluster, work.spec.service)
