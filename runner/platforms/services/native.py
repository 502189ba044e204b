"""ECS's own blue/green, canary and linear deployments (controller ECS, another strategy than ROLLING): asked for and
watched to their end. Their hooks, waits and weights are the service's own configuration.

`EcsState.original.arn` is the service's newest deployment when ours began; a newer one is ours, or somebody else's.
"""

import datetime as dt
from functools import partial

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services import launches, task_definitions, updating
from runner.platforms.services.launches import Shown
from runner.platforms.services.rolling import shown_as_task_set
from runner.platforms.services.service import Service, describe
from runner.platforms.services.work import Work


async def deploy(work: Work) -> None:
    """Event Install: ask for the new task definition, and follow the service deployment that this makes."""
    wanted = await task_definitions.pinned(work)
    work.note(task_definition=wanted)
    await _allow_time(work)
    arn = await _asked(work, wanted)
    await work.until(partial(launches.progress, work, arn))
    await work.do(partial(_note, work, moved=True))


async def go_back(work: Work) -> None:
    """In a rollback: ECS rolls back what still runs; what has ended is followed by a deployment of what was before."""
    original, ours = work.state.original, work.state.task_definition
    if original is None or not original.task_definition:
        raise Refused("INVALID_ECS_SERVICE", "what the service ran before is not known")
    await _allow_time(work)
    await work.soon(lambda: "" if _is_newest(work, ours) else "it is not shown, or another one is")
    running = await work.do(partial(_running, work, ours))
    if running is not None:
        await work.do(partial(_stop, work, running))
        await work.until(partial(launches.rolled_back, work, running["serviceDeploymentArn"]))
    if arn := await work.do(partial(_way_back, work, original.task_definition)):
        await work.until(partial(launches.progress, work, arn))
    await work.do(partial(_note, work, moved=False))


def _is_newest(work: Work, task_definition: str | None) -> bool:
    newest = launches.newest(work.calls, work.spec.cluster, work.spec.service)
    return newest is not None and launches.brings(work.calls, newest, task_definition)


def _running(work: Work, task_definition: str | None) -> Shown | None:
    """The newest deployment of the service, when it is under way and brings *task_definition*."""
    newest = launches.newest(work.calls, work.spec.cluster, work.spec.service)
    under_way = newest is not None and newest["status"] in launches.RUNNING
    return newest if newest and under_way and launches.brings(work.calls, newest, task_definition) else None


def _way_back(work: Work, former: str) -> str:
    """ARN of the service deployment that brings *former* back; asks for it where nobody has. "" when all is done."""
    newest = launches.newest(work.calls, work.spec.cluster, work.spec.service)
    if newest is not None and newest["status"] == "ROLLBACK_SUCCESSFUL":
        return ""
    if newest is not None and launches.brings(work.calls, newest, former):
        return str(newest["serviceDeploymentArn"])
    service = _look(work)
    if service.shown.get("taskDefinition") != former:
        updating.update(work, service, former)
    elif newest is None or newest["serviceDeploymentArn"] == (work.state.original and work.state.original.arn):
        return ""  # nothing has happened since
    raise AwsError(
        "ECS does not show its new deployment yet",
        code="ECS_UPDATE_ERROR",
        operation="ecs:ListServiceDeployments",
        retryable=True,
    )


async def _asked(work: Work, wanted: str) -> str:
    """ARN of our service deployment; UpdateService is called only when there is none after the one from before."""
    known = work.state.original.arn if work.state.original else ""
    newest = await work.do(partial(_newer, work, known))
    if newest is None:
        service = await work.do(partial(_look, work))
        await work.do(partial(updating.update, work, service, wanted))
        await work.until(lambda: "" if _newer(work, known) else "ECS has not begun yet")
        newest = await work.do(partial(_newer, work, known))
    if newest is None or not await work.do(partial(launches.brings, work.calls, newest, wanted)):
        raise Refused("ECS_UPDATE_ERROR", f"somebody else deploys to service {work.spec.service} meanwhile")
    return str(newest["serviceDeploymentArn"])


def _newer(work: Work, known: str) -> Shown | None:
    """The newest deployment of the service, unless it is the *known* one (ARN)."""
    newest = launches.newest(work.calls, work.spec.cluster, work.spec.service)
    return newest if newest is not None and newest["serviceDeploymentArn"] != known else None


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


async def _allow_time(work: Work) -> None:
    """Beside our own limit, the time that the service's own waits and hooks may take."""
    service = await work.do(partial(_look, work))
    work.ends += dt.timedelta(minutes=launches.minutes_of(service.shown.get("deploymentConfiguration", {})))


def _note(work: Work, *, moved: bool) -> None:
    primary = _look(work).primary_deployment
    if moved and primary is not None:
        work.note(replacement=shown_as_task_set(primary, 100))
    work.note(weight=100 if moved else 0, moved=moved)


def _look(work: Work) -> Service:
    return describe(work.calls, work.spec.cluster, work.spec.service)
