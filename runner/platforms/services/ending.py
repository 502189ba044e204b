"""How a blue/green deployment ends, one way or the other: the old task set goes, or everything goes back."""

from functools import partial

import msgspec

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.services import TaskSet
from runner.platforms.services import entrances, settling
from runner.platforms.services.installing import forwarding
from runner.platforms.services.routes import entries
from runner.platforms.services.service import Service, describe, scale
from runner.platforms.services.shifting import at_least_one, note_weight, promote, scale_to
from runner.platforms.services.undoing import left_behind
from runner.platforms.services.work import Work


async def restore(work: Work) -> None:
    """AllowTraffic of a rollback: the original has all traffic and is the primary again. Its tasks run before that."""
    original = work.state.original
    if original is None:
        raise Refused("INVALID_ECS_SERVICE", "what the service ran before is not known")
    _, shown = await work.do(partial(settling.present, work, original.id))
    if scale(shown) < 100 and not _has_all(work):
        await scale_to(work, original.id, 100)
    await settling.healthy(work, [blue for blue, _ in work.state.pairs], lambda: at_least_one(work))
    await entrances.carry_out(work, entrances.back(work.state, entries(work.spec.routes, work.state)))
    note_weight(work, 0)
    await promote(work, original.id)
    work.note(moved=False)
    await settling.steady(work, original.id)


async def terminate(work: Work) -> None:
    """Act Terminate: delete the task set that serves no more; the original, or in a rollback the replacement."""
    undoing = work.task.job.restoring is not None
    if undoing and work.state.replacement is None:  # perhaps it was not shown yet when the rollback began
        work.note(replacement=await work.do(lambda: left_behind(_look(work), work.state)))
    doomed, heir = work.state.original, work.state.replacement
    if undoing:
        doomed, heir = heir, doomed
    if doomed is None:
        work.say("there is no task set to delete")
        return
    groups = {pair[undoing] for pair in work.state.pairs}
    missing = bool(await work.soon(partial(_missing, work, doomed)))
    if missing or await work.do(partial(_is_going, work, doomed)):
        work.say(f"task set {doomed.id} is gone already")
    else:
        await _delete(work, doomed, heir, groups)
    gone = msgspec.structs.replace(doomed, status="DRAINING", weight=0, desired=0, pending=0, running=0)
    work.note(**{"replacement" if undoing else "original": gone})


async def _delete(work: Work, doomed: TaskSet, heir: TaskSet | None, groups: set[str]) -> None:
    if used := await work.soon(partial(forwarding, work, groups)):
        raise Refused(
            "ELASTIC_LOAD_BALANCING_INVALID",
            f"task set {doomed.id} was not deleted: {used} still sends requests to it. Point that elsewhere, then delete it",
        )
    if wrong := await work.soon(partial(_still_primary, work, doomed, heir)):
        raise Refused("ECS_UPDATE_ERROR", wrong)
    await work.do(partial(_ask, work, doomed.id))
    work.say(f"deleted task set {doomed.id}")
    await work.until(lambda: "" if _is_going(work, doomed) else f"task set {doomed.id} goes")


def _still_primary(work: Work, doomed: TaskSet, heir: TaskSet | None) -> str:
    primary = _look(work).primary
    if primary is not None and (heir is None or primary["id"] == heir.id) and primary["id"] != doomed.id:
        return ""
    who = primary["id"] if primary else "none"
    return (
        f"task set {doomed.id} was not deleted: the primary task set of service {work.spec.service} is {who}, where it "
        f"should be {heir.id if heir else 'another'}"
    )


def _ask(work: Work, task_set: str) -> None:
    try:
        work.calls.ecs(
            "delete_task_set", cluster=work.spec.cluster, service=work.spec.service, taskSet=task_set, force=True
        )
    except AwsError as error:
        if error.aws_code != "TaskSetNotFoundException":
            raise


def _is_going(work: Work, task_set: TaskSet) -> bool:
    shown = _look(work).find(task_set.id)
    return shown is None or shown["status"] == "DRAINING"


def _missing(work: Work, task_set: TaskSet) -> str:
    """Not to be believed at once: a task set that was just made may not be shown yet."""
    return "" if _look(work).find(task_set.id) else "it is not there"


def _look(work: Work) -> Service:
    return describe(work.calls, work.spec.cluster, work.spec.service)


def _has_all(work: Work) -> bool:
    """Nothing of the traffic or of the service has gone to the replacement: then the original is as it was."""
    return work.state.weight == 0 and not work.state.moved
