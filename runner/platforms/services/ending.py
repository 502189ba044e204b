"""How a blue/green deployment ends, one way or the other: the old task set goes, or everything goes back."""

from functools import partial

import msgspec

from runner.aws import AwsError
from runner.errors import Refused
from runner.model.services import EcsState, TaskSet
from runner.platforms.services import entrances, settling
from runner.platforms.services.forwarding import forwarding
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
    # The deployment that is undone may have ended a moment ago, and AWS may still show what was before its last change.
    left = work.task.job.restoring
    assert isinstance(left, EcsState)
    moves = entrances.back(work.state, entries(work.spec.routes, work.state))
    await entrances.carry_out(work, moves, doubtful=left.replacement is not None)
    note_weight(work, 0)
    await promote(work, original.id, doubtful=left.moved or left.weight == 100)
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
    known = _Known(work, doomed, heir)
    await work.soon(known.look)
    if known.is_going:
        work.say(f"task set {doomed.id} is gone already")
    else:
        await _delete(work, doomed, groups, known)
    gone = msgspec.structs.replace(doomed, status="DRAINING", weight=0, desired=0, pending=0, running=0)
    work.note(**{"replacement" if undoing else "original": gone})


class _Known:
    """What the service shows of the task set that shall go, and of its heir."""

    def __init__(self, work: Work, doomed: TaskSet, heir: TaskSet | None) -> None:
        self._work = work
        self._doomed = doomed
        self._heir = heir
        self.is_going = False
        self.primary = ""

    def look(self) -> str:
        """Whatever is not as it should be is not believed at once: it may be what was before a change."""
        service = _look(self._work)
        shown = service.find(self._doomed.id)
        self.is_going = shown is None or shown["status"] == "DRAINING"
        self.primary = service.primary["id"] if service.primary else ""
        return "" if shown is not None and (self.is_going or self.heir_is_primary) else "not as it should be"

    @property
    def heir_is_primary(self) -> bool:
        wanted = (self.primary,) if self._heir is None else (self._heir.id,)
        return bool(self.primary) and self.primary != self._doomed.id and self.primary in wanted


async def _delete(work: Work, doomed: TaskSet, groups: set[str], known: _Known) -> None:
    if not known.heir_is_primary:
        raise Refused(
            "ECS_UPDATE_ERROR",
            f"task set {doomed.id} was not deleted: the primary task set of service {work.spec.service} is "
            f"{known.primary or 'none'}, not the one that should serve now",
        )
    if used := await work.soon(partial(forwarding, work, groups)):
        raise Refused(
            "ELASTIC_LOAD_BALANCING_INVALID",
            f"task set {doomed.id} was not deleted: {used} still sends requests to it. Point that elsewhere, then delete it",
        )
    await work.until(lambda: "" if _ask(work, doomed.id) else f"task set {doomed.id} goes")
    work.say(f"deleted task set {doomed.id}")


def _ask(work: Work, task_set: str) -> bool:
    """Whether it is on its way. Asking again for what is being deleted already changes nothing."""
    try:
        answer = work.calls.ecs(
            "delete_task_set", cluster=work.spec.cluster, service=work.spec.service, taskSet=task_set, force=True
        )
    except AwsError as error:
        if error.aws_code != "TaskSetNotFoundException":
            raise
        return True
    return bool(answer["taskSet"]["status"] == "DRAINING")


def _look(work: Work) -> Service:
    return describe(work.calls, work.spec.cluster, work.spec.service)


def _has_all(work: Work) -> bool:
    """Nothing of the traffic or of the service has gone to the replacement: then the original is as it was."""
    return work.state.weight == 0 and not work.state.moved
