"""The moves of traffic of a blue/green deployment, its tasks' number, and what happens to task sets afterwards."""

from functools import partial

import msgspec

from runner.errors import Refused
from runner.model.services import TaskSet
from runner.platforms.services import entrances, settling
from runner.platforms.services.forwarding import replacement_groups
from runner.platforms.services.installing import running
from runner.platforms.services.routes import entries, production
from runner.platforms.services.service import describe, scale
from runner.platforms.services.work import Work


async def test_traffic(work: Work) -> None:
    """Event AllowTestTraffic: the test listeners lead to the replacement. Nothing to do without any."""
    tests = [entry for entry in entries(work.spec.routes, work.state) if entry.is_test]
    if not tests:
        work.say("there is no test listener")
        return
    await entrances.carry_out(work, entrances.plan(work.state, tests, 100, (0,)))
    await settling.healthy(work, [entry.green for entry in tests], lambda: at_least_one(work))


async def shift(work: Work) -> None:
    """Event AllowTraffic: *weight* percent of the production traffic to the replacement; with 100 it is the primary."""
    weight = work.task.act.weight
    assert weight is not None
    replacement = _there(work.state.replacement, work)
    doors = production(work.spec.routes, work.state)
    moves = entrances.plan(work.state, doors, weight, (work.state.weight,))
    if weight:
        await settling.healthy(work, [door.green for door in doors], lambda: at_least_one(work))
    note_weight(work, weight)
    await entrances.carry_out(work, moves)
    if weight == 100:
        await promote(work, replacement.id)
        work.note(moved=True)
        await settling.steady(work, replacement.id)
        unknown = [
            door.green for door in doors if not door.takes_weights
        ]  # until now nobody has looked at their targets
        await settling.healthy(work, unknown, lambda: at_least_one(work))


async def rescale(work: Work) -> None:
    """Act Scale: run that part of the replacement's tasks."""
    percent = work.task.act.scale
    assert percent is not None
    replacement = _there(work.state.replacement, work)
    await scale_to(work, replacement.id, percent)
    await settling.healthy(work, replacement_groups(work), lambda: running(work), replacement.id)


async def scale_to(work: Work, task_set: str, percent: float) -> None:
    """Change the task set's scale where it is another, and wait until that many tasks run."""
    await work.do(partial(_scale, work, task_set, percent))
    await settling.steady(work, task_set, percent)


async def promote(work: Work, task_set: str, *, doubtful: bool = False) -> None:
    """Make it the service's primary task set. Raises when another than this deployment's two is.

    *doubtful*: another deployment was here a moment ago; that it seems to be so already is not believed at once.
    """

    def look() -> str:
        if _promote(work, task_set):
            work.say(f"task set {task_set} is the primary one")
            return ""
        return "it seems to be so already" if doubtful else ""

    await work.soon(look)


def note_weight(work: Work, weight: int) -> None:
    """Before it is so: whoever must undo this looks at the listeners anyway."""
    original, replacement = work.state.original, work.state.replacement
    work.note(
        weight=weight,
        original=original and msgspec.structs.replace(original, weight=100 - weight),
        replacement=replacement and msgspec.structs.replace(replacement, weight=weight),
    )


def at_least_one(work: Work) -> int:
    """Healthy targets that a group needs before it gets traffic; none for a service that runs no tasks at all."""
    known = [each for each in (work.state.original, work.state.replacement) if each is not None]
    return 1 if any(each.desired for each in known) else 0


def _scale(work: Work, task_set: str, percent: float) -> None:
    _, shown = settling.present(work, task_set)
    if scale(shown) != percent:
        work.calls.ecs(
            "update_task_set",
            cluster=work.spec.cluster,
            service=work.spec.service,
            taskSet=task_set,
            scale={"value": float(percent), "unit": "PERCENT"},
        )
        work.say(f"scaled task set {task_set} to {percent:g} %")


def _promote(work: Work, task_set: str) -> bool:
    service = describe(work.calls, work.spec.cluster, work.spec.service)
    primary = service.primary
    if primary is not None and primary["id"] == task_set:
        return False
    known = {each.id for each in (work.state.original, work.state.replacement) if each is not None}
    if primary is not None and primary["id"] not in known:
        raise Refused(
            "ECS_UPDATE_ERROR",
            f"somebody else has made {primary['id']} the primary task set of service {work.spec.service}; that was left",
        )
    work.calls.ecs(
        "update_service_primary_task_set",
        cluster=work.spec.cluster,
        service=work.spec.service,
        primaryTaskSet=task_set,
    )
    return True


def _there(task_set: TaskSet | None, work: Work) -> TaskSet:
    if task_set is None:
        raise Refused("ECS_UPDATE_ERROR", f"the deployment has made no task set in service {work.spec.service}")
    return task_set
