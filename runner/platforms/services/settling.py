"""Waiting until tasks run and their targets are healthy; and giving up early when they never will."""

import datetime as dt
from collections.abc import Callable, Iterable
from functools import partial

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services import target_groups, trouble
from runner.platforms.services.actions import group_name
from runner.platforms.services.service import Service, Shown, describe, is_steady, scale, seen, wanted_tasks
from runner.platforms.services.work import Work

_SELDOM = 3  # times the pause between looks: until the next one at stopped tasks, which takes two calls more


async def steady(work: Work, task_set: str, at_scale: float | None = None) -> None:
    """Wait until all tasks of *task_set* run, and those that the load balancer looks at answer.

    *at_scale*: percent that has just been asked for; AWS may show the old one for a while. Raises when tasks keep stopping.
    """
    look = partial(_unsteady, work, task_set, at_scale, _Patience(work, task_set))
    await work.until(look, partial(_explain, work, task_set))


async def healthy(work: Work, groups: Iterable[str], needed: Callable[[], int], task_set: str | None = None) -> None:
    """Wait until each of *groups* has that many healthy targets, where a load balancer looks at them at all.

    *task_set*: the one whose tasks they are; raises when these keep stopping.
    """
    for group in dict.fromkeys(groups):
        patience = _Patience(work, task_set)
        await work.until(partial(_unwell, work, group, needed, patience), partial(_symptoms, work, group))


def present(work: Work, task_set: str) -> tuple[Service, Shown]:
    """Raises `Refused` when somebody has deleted it; `AwsError`, to look again, while it may only not be shown yet."""
    service = describe(work.calls, work.spec.cluster, work.spec.service)
    shown = service.find(task_set)
    if shown is not None and shown["status"] != "DRAINING":
        return service, shown
    if shown is None and work.is_fresh:
        raise AwsError(
            f"ECS does not show task set {task_set} yet",
            code="ECS_UPDATE_ERROR",
            operation="ecs:DescribeServices",
            retryable=True,
        )
    raise Refused(
        "ECS_UPDATE_ERROR", f"task set {task_set} of service {work.spec.service} was deleted by somebody else"
    )


def note_counts(work: Work, service: Service) -> None:
    """How many tasks both task sets have now."""
    for name in ("original", "replacement"):
        known = getattr(work.state, name)
        shown = service.find(known.id) if known else None
        if known and shown:
            work.note(**{name: seen(service, shown, known.label, known.weight, known.target_group)})


class _Patience:
    """Looks now and then at the tasks of a task set that have stopped, and loses hope when there are too many."""

    def __init__(self, work: Work, task_set: str | None) -> None:
        self._work = work
        self._task_set = task_set
        self._next = self._later()

    def wear(self) -> None:
        work = self._work
        if self._task_set is None or work.pace.clock() < self._next:
            return
        self._next = self._later()
        service, shown = present(work, self._task_set)
        tasks = trouble.stopped(work.calls, work.spec.cluster, work.spec.service, shown)
        if trouble.too_many(len(tasks), wanted_tasks(service, shown)):
            more = trouble.explain(work.calls, work.spec.cluster, service, shown, work.began)
            raise Refused("ECS_UPDATE_ERROR", f"tasks of task set {self._task_set} keep stopping{more}")

    def _later(self) -> dt.datetime:
        pace = self._work.pace
        return pace.clock() + dt.timedelta(seconds=_SELDOM * pace.every)


def _unsteady(work: Work, task_set: str, at_scale: float | None, patience: _Patience) -> str:
    service, shown = present(work, task_set)
    note_counts(work, service)
    if is_steady(service, shown) and at_scale in (None, scale(shown)):
        return ""
    patience.wear()
    return (
        f"task set {task_set}: {shown.get('runningCount', 0)} of {wanted_tasks(service, shown)} tasks run, "
        f"{shown.get('pendingCount', 0)} pending, {shown.get('stabilityStatus', 'STABILIZING')}"
    )


def _explain(work: Work, task_set: str) -> str:
    service, shown = present(work, task_set)
    return trouble.explain(work.calls, work.spec.cluster, service, shown, work.began)


def _unwell(work: Work, group: str, needed: Callable[[], int], patience: _Patience) -> str:
    found = target_groups.health(work.calls, group)
    if found.is_unknown or found["healthy"] >= needed():
        return ""
    patience.wear()
    return f"target group {group_name(group)}: {needed()} healthy targets are needed, there are {found}"


def _symptoms(work: Work, group: str) -> str:
    return "".join(f"\ntargets {line}" for line in target_groups.sick(work.calls, group))
