"""Rolling updates, which ECS drives itself (deployment controller ECS): asked for, and watched to their end.

`EcsState.original` is the deployment of the service that was there before, by its ID `ecs-svc/...`; another primary
one means that something has happened since.
"""

from functools import partial

from runner.errors import Refused
from runner.model.services import TaskSet
from runner.platforms.services import trouble, updating
from runner.platforms.services.service import Service, Shown, describe
from runner.platforms.services.work import Work


async def roll(work: Work) -> None:
    """Event Install: replace the service's tasks. Fails when ECS gives up, or goes back (its circuit breaker)."""
    wanted = await work.do(partial(updating.pin, work))
    work.note(task_definition=wanted)
    await work.do(partial(_ask_once, work, wanted))
    await work.until(partial(_progress, work, wanted), partial(_explain, work))
    await work.do(partial(_note, work, moved=True))


async def roll_back(work: Work) -> None:
    """In a rollback: the task definition from before, unless ECS has gone back to it by itself."""
    original = work.state.original
    if original is None or not original.task_definition:
        raise Refused("INVALID_ECS_SERVICE", "what the service ran before is not known")
    await work.do(partial(_ask_to_go_back, work, original.task_definition))
    await work.until(partial(_progress, work, original.task_definition), partial(_explain, work))
    await work.do(partial(_note, work, moved=False))


def shown_as_task_set(deployment: Shown, weight: int) -> TaskSet:
    """A deployment of the service, where a task set is expected: ECS's form is nearly the same."""
    return TaskSet(
        id=deployment["id"],
        task_definition=deployment.get("taskDefinition", ""),
        label="Green" if weight else "Blue",
        status="PRIMARY" if deployment["status"] == "PRIMARY" else "ACTIVE",
        desired=deployment.get("desiredCount", 0),
        pending=deployment.get("pendingCount", 0),
        running=deployment.get("runningCount", 0),
        weight=weight,
    )


def _ask_once(work: Work, wanted: str) -> None:
    service = _look(work)
    primary, original = service.primary_deployment, work.state.original
    if primary is None or original is None or primary["id"] == original.id:
        updating.update(work, service, wanted)


def _ask_to_go_back(work: Work, wanted: str) -> None:
    service = _look(work)
    primary = service.primary_deployment
    if primary is None or primary.get("taskDefinition") != wanted:
        updating.update(work, service, wanted)


def _progress(work: Work, wanted: str) -> str:
    """What is still to come; "" when all tasks are replaced. Raises when ECS has failed or gone back."""
    service = _look(work)
    primary = service.primary_deployment
    if primary is None or (work.is_fresh and _is_former(work, primary)):
        return "ECS has not begun yet"
    if primary.get("taskDefinition") != wanted:
        return _superseded(work, service, primary, wanted)
    if primary.get("rolloutState") == "FAILED":
        raise Refused("ECS_UPDATE_ERROR", _told(work, service, primary, "the update has failed"))
    if _is_complete(primary):
        return ""
    if trouble.too_many(primary.get("failedTasks", 0), primary.get("desiredCount", 0)) and not _has_breaker(service):
        raise Refused("ECS_UPDATE_ERROR", _told(work, service, primary, "new tasks keep stopping"))
    return f"{updating.counts(primary)}; {primary.get('rolloutStateReason') or 'in progress'}"


def _superseded(work: Work, service: Service, primary: Shown, wanted: str) -> str:
    """Another task definition is being deployed: by ECS's circuit breaker, which is waited for, or by somebody."""
    ours = next((each for each in service.deployments if each.get("taskDefinition") == wanted), None)
    original = work.state.original
    if original is None or primary.get("taskDefinition") != original.task_definition:
        raise Refused(
            "ECS_UPDATE_ERROR",
            f"somebody else has deployed {primary.get('taskDefinition')} to service {work.spec.service} meanwhile",
        )
    if _is_complete(primary) or primary.get("rolloutState") == "FAILED":
        what = f"ECS has gone back to {original.task_definition}"
        raise Refused("ECS_UPDATE_ERROR", _told(work, service, ours or primary, what))
    return f"ECS goes back to {original.task_definition}: {updating.counts(primary)}"


def _is_former(work: Work, primary: Shown) -> bool:
    """A read that lags behind our own change shows the deployment from before."""
    former = work.state.original
    return former is not None and primary["id"] == former.id


def _is_complete(deployment: Shown) -> bool:
    """`rolloutState` is missing for services behind a Classic Load Balancer; there the numbers say it."""
    state = deployment.get("rolloutState")
    if state is not None:
        return bool(state == "COMPLETED")
    return bool(deployment.get("runningCount") == deployment.get("desiredCount") and not deployment.get("pendingCount"))


def _has_breaker(service: Service) -> bool:
    breaker = service.shown.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    return bool(breaker.get("enable"))


def _told(work: Work, service: Service, deployment: Shown, what: str) -> str:
    reason = deployment.get("rolloutStateReason") or ""
    more = trouble.explain(work.calls, work.spec.cluster, service, deployment, work.began)
    return f"{what}{': ' + reason if reason else ''}{more}"


def _explain(work: Work) -> str:
    service = _look(work)
    primary = service.primary_deployment
    return trouble.explain(work.calls, work.spec.cluster, service, primary, work.began) if primary else ""


def _note(work: Work, *, moved: bool) -> None:
    primary = _look(work).primary_deployment
    if primary is not None and moved:
        work.note(replacement=shown_as_task_set(primary, 100), weight=100, moved=True)
    elif primary is not None:
        work.note(weight=0, moved=False)


def _look(work: Work) -> Service:
    return describe(work.calls, work.spec.cluster, work.spec.service)
