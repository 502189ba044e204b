"""Whose turn it is in a deployment group: one deployment at a time, and of those that wait, only the newest runs."""

import datetime as dt
from collections.abc import Sequence

from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.value import Value


class Predecessor(Value, frozen=True, kw_only=True):
    """The deployment of the same release in the group that `after` names. *replaced*: the group has something else now."""

    id: str
    group: str
    status: DeploymentStatus
    completed_at: dt.datetime | None
    bake: dt.timedelta
    replaced_by: str | None = None


class Waiting(Value, frozen=True, kw_only=True):
    """A deployment in state Created."""

    id: str
    predecessor: Predecessor | None = None
    stop_requested: bool = False
    continue_requested: bool = False


class Admission(Value, frozen=True, kw_only=True):
    """*start*: goes on to Queued. *ended*: never runs, and why. *waits*: goes on waiting: for what, until when if known."""

    start: str | None = None
    ended: dict[str, ErrorInformation] = {}
    waits: dict[str, tuple[str, dt.datetime | None]] = {}


def admit(waiting: Sequence[Waiting], active: str | None, now: dt.datetime) -> Admission:
    """Decide over all deployments of one group that wait, oldest first. *active*: the one that holds the group."""
    ended: dict[str, ErrorInformation] = {}
    waits: dict[str, tuple[str, dt.datetime | None]] = {}
    ready: list[str] = []
    for candidate in waiting:
        verdict = _verdict(candidate, now)
        if isinstance(verdict, ErrorInformation):
            ended[candidate.id] = verdict
        elif verdict is None:
            ready.append(candidate.id)
        else:
            waits[candidate.id] = verdict
    for older in ready[:-1]:
        ended[older] = ErrorInformation(code="SUPERSEDED", message=f"{ready[-1]} is newer and runs in its place")
    if ready and active:
        waits[ready[-1]] = (f"{active} to finish", None)
    start = ready[-1] if ready and not active else None
    return Admission(start=start, ended=ended, waits=waits)


def _verdict(candidate: Waiting, now: dt.datetime) -> ErrorInformation | tuple[str, dt.datetime | None] | None:
    """An error when it will never run, a reason to wait, or None when it is ready."""
    if candidate.stop_requested:
        return ErrorInformation(code="MANUAL_STOP", message="stopped on request before it began")
    before = candidate.predecessor
    if before is None:
        return None
    if before.status in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED):
        return ErrorInformation(code="DEPENDENCY", message=f"{before.id} in {before.group} {before.status.lower()}")
    if before.status is not DeploymentStatus.SUCCEEDED or before.completed_at is None:
        return f"{before.id} in {before.group}", None
    baked_at = before.completed_at + before.bake
    if now >= baked_at or candidate.continue_requested:
        return None
    if before.replaced_by:
        return ErrorInformation(
            code="SUPERSEDED", message=f"{before.replaced_by} replaced it in {before.group} before it had baked"
        )
    return f"{before.group} to bake", baked_at
