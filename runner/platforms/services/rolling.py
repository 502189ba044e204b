"""Rolling updates, which ECS drives itself (deployment controller ECS): asked for, and watched to their end.

`EcsState.original` is the deployment of the service that was there before, by its ID `ecs-svc/...`; another primary
one means that something has happened since.
"""

import datetime as dt
from functools import partial
from typing import Any

from runner.errors import Refused
from runner.model.services import TaskSet
from runner.platforms.services import task_definitions, trouble, updating
from runner.platforms.services.service import Service, Shown, describe
from runner.platforms.services.work import Work


async def roll(work: Work) -> None:
    """Event Install: replace the service's tasks. Fails when ECS gives up, or goes back (its circuit breaker)."""
    wanted = await task_definitions.pinned(work)
    work.note(task_definition=wanted)
    await work.do(partial(_ask_once, work, wanted))
    watch = _Watch(work, wanted)
    await work.until(watch.look, partial(_explain, work))
    if watch.primary is not None:
        work.note(replacement=shown_as_task_set(watch.primary, 100), weight=100, moved=True)


async def roll_back(work: Work) -> None:
    """In a rollback: the task definition from before, unless ECS has gone back to it by itself."""
    original = work.state.original
    if original is None or not original.task_definition:
        raise Refused("INVALID_ECS_SERVICE", "what the service ran before is not known")
    await work.soon(partial(_is_back, work, original.task_definition))
    await work.do(partial(_ask_to_go_back, work, original.task_definition))
    await work.until(_Watch(work, original.task_definition).look, partial(_explain, work))
    work.note(weight=0, moved=False)


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


def _is_back(work: Work, wanted: str) -> str:
    """Not to be believed at once: our own update may not be shown yet."""
    primary = _look(work).primary_deployment
    return "it is back" if primary is not None and primary.get("taskDefinition") == wanted else ""


def _ask_to_go_back(work: Work, wanted: str) -> None:
    service = _look(work)
    primary = service.primary_deployment
    if primary is None or primary.get("taskDefinition") != wanted:
        updating.update(work, service, wanted)


class _Watch:
    """Looks at the service again and again until it runs *wanted*. Remembers why ECS has given up: it soon forgets that.

    *primary*: the service's primary deployment at the last look.
    """

    def __init__(self, work: Work, wanted: str) -> None:
        self._work = work
        self._wanted = wanted
        self._why = ""
        self.primary: Shown | None = None

    def look(self) -> str:
        """What is still to come; "" when all tasks are replaced. Raises when ECS has failed or gone back."""
        work, service = self._work, _look(self._work)
        self.primary = primary = service.primary_deployment
        if primary is None or (work.is_fresh and not self._is_new(primary)):
            return "ECS has not begun yet"
        if primary.get("taskDefinition") != self._wanted:
            return self._superseded(service, primary)
        if primary.get("rolloutState") == "FAILED":
            self._remember(service, primary)
            if _may_go_back(work, service, primary):
                return f"ECS gives up{self._why}"
            raise Refused("ECS_UPDATE_ERROR", f"the update has failed{self._why}")
        if _is_complete(primary):
            return ""
        if trouble.too_many(primary.get("failedTasks", 0), primary.get("desiredCount", 0)) and not _breaker(service):
            self._remember(service, primary)
            raise Refused("ECS_UPDATE_ERROR", f"new tasks keep stopping{self._why}")
        return f"{updating.counts(primary)}; {primary.get('rolloutStateReason') or 'in progress'}"

    def _is_new(self, primary: Shown) -> bool:
        """A read that lags behind our own change shows the deployment from before."""
        former = self._work.state.original
        return primary.get("taskDefinition") == self._wanted and (former is None or primary["id"] != former.id)

    def _superseded(self, service: Service, primary: Shown) -> str:
        """Another task definition is being deployed: by ECS's circuit breaker, which is waited for, or by somebody."""
        original = self._work.state.original
        if original is None or primary.get("taskDefinition") != original.task_definition:
            raise Refused(
                "ECS_UPDATE_ERROR",
                f"somebody else has deployed {primary.get('taskDefinition')} to service {self._work.spec.service} meanwhile",
            )
        ours = [each for each in service.deployments if each.get("taskDefinition") == self._wanted]
        if ours:
            self._remember(service, ours[0])
        if _is_complete(primary) or primary.get("rolloutState") == "FAILED":
            what = f"ECS has gone back to {original.task_definition}"
            raise Refused("ECS_UPDATE_ERROR", f"{what}{self._why or _events(self._work, service)}")
        return f"ECS goes back to {original.task_definition}: {updating.counts(primary)}"

    def _remember(self, service: Service, failed: Shown) -> None:
        if not self._why:
            more = trouble.explain(self._work.calls, self._work.spec.cluster, service, failed, self._work.began)
            self._why = f": {failed.get('rolloutStateReason') or 'no reason is given'}{more}"
            self._work.say(f"ECS has given up{self._why}")


def _is_complete(deployment: Shown) -> bool:
    """`rolloutState` is missing for services behind a Classic Load Balancer; there the numbers say it."""
    state = deployment.get("rolloutState")
    if state is not None:
        return bool(state == "COMPLETED")
    return bool(deployment.get("runningCount") == deployment.get("desiredCount") and not deployment.get("pendingCount"))


def _may_go_back(work: Work, service: Service, failed: Shown) -> bool:
    """Whether the circuit breaker may still begin its way back, which it does at once, or never."""
    given_up = failed.get("updatedAt")
    soon = given_up is not None and work.pace.clock() < given_up + dt.timedelta(seconds=work.pace.settle)
    return bool(soon and _breaker(service).get("rollback"))


def _breaker(service: Service) -> dict[str, Any]:
    """The service's circuit breaker; empty when it is not switched on."""
    found = service.shown.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker") or {}
    return found if found.get("enable") else {}


def _events(work: Work, service: Service) -> str:
    return "".join(f"\nevent {line}" for line in service.events(work.began))


def _explain(work: Work) -> str:
    service = _look(work)
    primary = service.primary_deployment
    return trouble.explain(work.calls, work.spec.cluster, service, primary, work.began) if primary else ""


def _look(work: Work) -> Service:
    return describe(work.calls, work.spec.cluster, work.spec.service)
