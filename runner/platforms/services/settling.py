"""Waiting until tasks run and their targets are healthy; and giving up early when they never will."""

from collections.abc import Callable, Iterable
from functools import partial

from runner.aws import AwsError
from runner.errors import Refused
from runner.platforms.services import target_groups, trouble
from runner.platforms.services.actions import group_name
from runner.platforms.services.service import Service, Shown, describe, is_steady, scale, seen, wanted_tasks
from runner.platforms.services.work import Work


async def steady(work: Work, task_set: str, at_scale: float | None = None) -> None:
    """Wait until all tasks of *task_set* run, and those that the load balancer looks at answer.

    *at_scale*: percent that has just been asked for; AWS may show the old one for a while. Raises when tasks keep stopping.
    """
    await work.until(_Watch(work, task_set, at_scale).look, partial(_explain, work, task_set))
    await work.do(partial(refresh, work))


async def healthy(work: Work, groups: Iterable[str], needed: Callable[[], int]) -> None:
    """Wait until each of *groups* has that many healthy targets, where a load balancer looks at them at all."""
    for group in dict.fromkeys(groups):
        await work.until(partial(_unwell, work, group, needed), partial(_symptoms, work, group))


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


def refresh(work: Work) -> None:
    """Note how many tasks both task sets have now."""
    service = describe(work.calls, work.spec.cluster, work.spec.service)
    for name in ("original", "replacement"):
        known = getattr(work.state, name)
        shown = service.find(known.id) if known else None
        if known and shown:
            work.note(**{name: seen(service, shown, known.label, known.weight, known.target_group)})


class _Watch:
    """Looks at one task set again and again. Asks for stopped tasks only when nothing has moved since the last look."""

    def __init__(self, work: Work, task_set: str, at_scale: float | None) -> None:
        self._work = work
        self._task_set = task_set
        self._at_scale = at_scale
        self._last = ""

    def look(self) -> str:
        service, shown = present(self._work, self._task_set)
        if is_steady(service, shown) and self._at_scale in (None, scale(shown)):
            return ""
        waits = (
            f"task set {self._task_set}: {shown.get('runningCount', 0)} of {wanted_tasks(service, shown)} tasks run, "
            f"{shown.get('pendingCount', 0)} pending, {shown.get('stabilityStatus', 'STABILIZING')}"
        )
        if waits == self._last:
            self._give_up(service, shown)
        self._last = waits
        return waits

    def _give_up(self, service: Service, shown: Shown) -> None:
        work = self._work
        tasks = trouble.stopped(work.calls, work.spec.cluster, work.spec.service, shown)
        if trouble.too_many(len(tasks), wanted_tasks(service, shown)):
            more = trouble.explain(work.calls, work.spec.cluster, service, shown, work.began)
            raise Refused("ECS_UPDATE_ERROR", f"tasks of task set {shown['id']} keep stopping{more}")


def _explain(work: Work, task_set: str) -> str:
    service, shown = present(work, task_set)
    return trouble.explain(work.calls, work.spec.cluster, service, shown, work.began)


def _unwell(work: Work, group: str, needed: Callable[[], int]) -> str:
    found = target_groups.health(work.calls, group)
    if found.is_unknown or found["healthy"] >= needed():
        return ""
    return f"target group {group_name(group)}: {needed()} healthy targets are needed, there are {found}"


def _symptoms(work: Work, group: str) -> str:
    return "".join(f"\ntargets {line}" for line in target_groups.sick(work.calls, group))
