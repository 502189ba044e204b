"""What the summary tells, whether it comes from our own store or from a server."""

from collections.abc import Iterable
from typing import NamedTuple

from runner.errors import Mistake


class EventRow(NamedTuple):
    """A lifecycle event. *took*: as people write it, "" where unknown."""

    name: str
    status: str
    took: str = ""


class TargetRow(NamedTuple):
    name: str
    status: str
    events: tuple[EventRow, ...] = ()


class Failure(NamedTuple):
    """Why a lifecycle event of a target failed. *tail*: the last lines of the script's output."""

    target: str
    event: str
    script: str
    message: str
    tail: str


class Rollout(NamedTuple):
    """One deployment. *status*: CodeDeploy's. *asked*: not a rollback that came of it."""

    id: str
    place: str
    revision: str
    configuration: str
    status: str
    took: str
    message: str
    asked: bool
    rolls_back: str | None
    targets: tuple[TargetRow, ...]
    failures: tuple[Failure, ...]

    @property
    def has_ended(self) -> bool:
        return self.status in ("Succeeded", "Failed", "Stopped")


class Outcome(NamedTuple):
    """All of it, as far as it has come. *notes*: sentences. *mistakes*: of files."""

    rollouts: tuple[Rollout, ...] = ()
    notes: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(rollout.id for rollout in self.rollouts if rollout.asked)

    @property
    def status(self) -> str:
        """Of all that were asked for together: Succeeded only if all have; NotStarted if there is none."""
        return worst(rollout.status for rollout in self.rollouts if rollout.asked)


def worst(statuses: Iterable[str]) -> str:
    found = set(statuses)
    if not found:
        return "NotStarted"
    if unfinished := found - {"Succeeded", "Failed", "Stopped"}:
        return "Created" if unfinished == found == {"Created"} else "InProgress"
    return next(status for status in ("Failed", "Stopped", "Succeeded") if status in found)
