"""What passes between the store and those who work with it: wishes, actions whose intent is recorded, and results."""

import datetime as dt
from typing import TypeAlias

from runner.model.appspec import AppSpec
from runner.model.command import FleetTask, Outcome
from runner.model.deployment import Deployment, ErrorInformation
from runner.model.fleets import Fleet, Live
from runner.model.manifest import Manifest
from runner.model.program import TargetSpec, TargetState, Task
from runner.model.revision import Bundle, Revision
from runner.model.target import Host
from runner.model.value import Value


class Wish(Value, frozen=True, kw_only=True):
    """Deploy *revision* to the named groups of a manifest; to all of them where none is named."""

    manifest: Manifest
    revision: Revision
    groups: tuple[str, ...] = ()


class Undoing(Value, frozen=True, kw_only=True):
    """What a rollback of a Lambda function or an ECS service undoes: the failed deployment's *spec*, and the *state* that
    it left."""

    spec: TargetSpec
    state: TargetState


class Rerouting(Value, frozen=True, kw_only=True):
    """What the rollback of a blue/green deployment on servers undoes: the hosts, as they were found for that one.

    *green*: those that may have traffic.
    """

    original: Fleet
    replacement: Fleet
    blue: tuple[Host, ...]
    green: tuple[Host, ...]


class Prepare(Value, frozen=True, kw_only=True):
    """Fetch the bundle, read its AppSpec, find the hosts, or the function or service. Changes nothing; safe to repeat.

    *undoing*: on a rollback of what moves traffic. *rerouting*: on one between fleets. *live*: the fleet with the traffic.
    """

    deployment: Deployment
    undoing: Undoing | None = None
    rerouting: Rerouting | None = None
    live: Live | None = None


class RunEvent(Value, frozen=True, kw_only=True):
    """Run lifecycle event *name*, number *event* of the deployment's pipeline, on *target*; safe to repeat with the same
    *attempt*. *is_last*: the pipeline ends with it."""

    deployment_id: str
    target: str
    event: int
    attempt: int
    name: str
    is_last: bool


class RunAct(Value, frozen=True, kw_only=True):
    """Do one act of a program; safe to repeat with the same *task*. *event*: its number among the program's events."""

    deployment_id: str
    target: str
    event: int
    attempt: int
    task: Task

    @property
    def name(self) -> str:
        return self.task.act.event


WHOLE_FLEET = "~fleet"  # in place of a target; no host is called so


class RunFleet(Value, frozen=True, kw_only=True):
    """Do one act on whole fleets; safe to repeat with the same *task*. *event*: its place among the program's steps."""

    deployment_id: str
    event: int
    task: FleetTask
    target: str = WHOLE_FLEET
    attempt: int = 1

    @property
    def name(self) -> str:
        return self.task.event


Action: TypeAlias = Prepare | RunEvent | RunAct | RunFleet


class Prepared(Value, frozen=True, kw_only=True):
    """What `Prepare` found. *pinned*: what the revision turned out to be, where it did not say so itself.

    *appspec_file*: its path in the bundle; None where it is the one that the deployment names.
    """

    deployment_id: str
    bundle: Bundle
    appspec: AppSpec
    appspec_file: str | None = None
    pinned: Revision | None = None
    hosts: tuple[Host, ...]


class PreparedTraffic(Value, frozen=True, kw_only=True):
    """What `Prepare` found where traffic moves: the *target*, what is to be done to it, and its *state* before that."""

    deployment_id: str
    target: str
    spec: TargetSpec
    state: TargetState
    pinned: Revision | None = None


class PreparedFleets(Value, frozen=True, kw_only=True):
    """What `Prepare` found where one fleet of servers replaces another. *green*: empty where it is made later.

    *original*, *replacement*: what *blue* and *green* were found by; other members as in `Prepared`.
    """

    deployment_id: str
    bundle: Bundle
    appspec: AppSpec
    appspec_file: str | None = None
    pinned: Revision | None = None
    original: Fleet
    replacement: Fleet
    blue: tuple[Host, ...]
    green: tuple[Host, ...] = ()


class PreparationFailed(Value, frozen=True, kw_only=True):
    """Why a deployment cannot begin; no host was touched."""

    deployment_id: str
    error: ErrorInformation


class PreparationDelayed(Value, frozen=True, kw_only=True):
    """Why a deployment cannot begin yet, though it may: the outside failed, and is tried again."""

    deployment_id: str
    message: str


class EventEnded(Value, frozen=True, kw_only=True):
    """How `RunEvent`, `RunAct` or `RunFleet` ended. Recorded only while that very attempt is the one in flight."""

    deployment_id: str
    target: str
    event: int
    attempt: int
    outcome: Outcome


Result: TypeAlias = Prepared | PreparedTraffic | PreparedFleets | PreparationDelayed | PreparationFailed | EventEnded


class Advance(Value, frozen=True, kw_only=True):
    """What the store wants done now, and when it wants to be asked again though nothing happens.

    *withdrawn*: deployments that are prepared, or whose hook is waited for, although nobody wants that any more.
    """

    actions: tuple[Action, ...] = ()
    withdrawn: tuple[str, ...] = ()
    wake_at: dt.datetime | None = None
