"""What she needs to know at 3 a.m.: why tasks of a service do not run. Everything here blocks."""

import datetime as dt
from collections import Counter
from math import ceil
from typing import Any

from runner.aws import AwsError
from runner.errors import RunnerError
from runner.platforms.services.calls import Calls
from runner.platforms.services.service import Service, Shown

_FEWEST, _MOST = 3, 200  # as ECS's own circuit breaker counts: half of the tasks, within these
_ASKED = 100  # tasks in one DescribeTasks


def stopped(calls: Calls, cluster: str, service: str, started_by: Shown) -> list[dict[str, Any]]:
    """Tasks of a task set (or of a deployment of the service) that have stopped though nobody wanted them to.

    ECS forgets stopped tasks after an hour.
    """
    arns = calls.ecs("list_tasks", cluster=cluster, serviceName=service, desiredStatus="STOPPED").get("taskArns", [])
    if not arns:
        return []
    tasks = calls.ecs("describe_tasks", cluster=cluster, tasks=arns[:_ASKED])["tasks"]
    return [task for task in tasks if _is_of(task, started_by) and _is_failure(task)]


def too_many(number: int, desired: int) -> bool:
    """Whether so many failed tasks mean that the rest will fail too."""
    return number >= min(max(ceil(desired / 2), _FEWEST), _MOST)


def reasons(tasks: list[dict[str, Any]]) -> list[str]:
    """Why tasks have stopped, the most frequent first: `3 tasks: Essential container in task exited (api: exit code 1)`."""
    counted = Counter(_reason(task) for task in tasks)
    return [f"{number} task{'s' * (number > 1)}: {why}" for why, number in counted.most_common(5)]


def explain(calls: Calls, cluster: str, service: Service, started_by: Shown, since: dt.datetime | None) -> str:
    """Lines on stopped tasks and on what the service has said since; "" when there is nothing, or it cannot be asked."""
    lines = []
    try:
        tasks = stopped(calls, cluster, service.shown["serviceName"], started_by)
        lines += [f"stopped {line}" for line in reasons(tasks)]
    except (AwsError, RunnerError) as error:
        lines.append(f"why tasks stopped is not known: {error.message}")
    lines += [f"event {line}" for line in service.events(since)]
    return "".join(f"\n{line}" for line in lines)


def _is_of(task: dict[str, Any], started_by: Shown) -> bool:
    who = task.get("startedBy")
    if who:
        return bool(who == started_by["id"])
    created = task.get("createdAt")
    late_enough = created is None or "createdAt" not in started_by or created >= started_by["createdAt"]
    return bool(late_enough and task.get("taskDefinitionArn") == started_by.get("taskDefinition"))


def _is_failure(task: dict[str, Any]) -> bool:
    scaled_in = "Scaling activity initiated" in task.get("stoppedReason", "")
    return task.get("stopCode") not in ("UserInitiated", "SpotInterruption") and not scaled_in


def _reason(task: dict[str, Any]) -> str:
    why = task.get("stoppedReason") or task.get("stopCode") or "no reason is known"
    parts = [part for each in task.get("containers", []) if (part := _of_container(each))]
    return f"{why} ({'; '.join(parts)})" if parts else str(why)


def _of_container(container: dict[str, Any]) -> str:
    said = [str(container["reason"])] if container.get("reason") else []
    if container.get("exitCode"):
        said.append(f"exit code {container['exitCode']}")
    return f"{container['name']}: {', '.join(said)}" if said else ""
