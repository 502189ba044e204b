"""What passes between the store and those who work with it: wishes, actions whose intent is recorded, and results."""

import datetime as dt
from typing import TypeAlias

from runner.model.appspec import AppSpec
from runner.model.command import Outcome
from runner.model.deployment import Deployment, ErrorInformation
from runner.model.manifest import Manifest
from runner.model.revision import Bundle, Revision
from runner.model.target import Host
from runner.model.value import Value


class Wish(Value, frozen=True, kw_only=True):
    """Deploy *revision* to the named groups of a manifest; to all of them where none is named."""

    manifest: Manifest
    revision: Revision
    groups: tuple[str, ...] = ()


class Prepare(Value, frozen=True, kw_only=True):
    """Fetch the bundle, read its AppSpec, find the hosts. Touches no host; safe to repeat."""

    deployment: Deployment


class RunEvent(Value, frozen=True, kw_only=True):
    """Run lifecycle event *name*, number *event* of the deployment's pipeline, on *target*; safe to repeat with the same
    *attempt*. *is_last*: the pipeline ends with it."""

    deployment_id: str
    target: str
    event: int
    attempt: int
    name: str
    is_last: bool


Action: TypeAlias = Prepare | RunEvent


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


class PreparationFailed(Value, frozen=True, kw_only=True):
    """Why a deployment cannot begin; no host was touched."""

    deployment_id: str
    error: ErrorInformation


class PreparationDelayed(Value, frozen=True, kw_only=True):
    """Why a deployment cannot begin yet, though it may: the outside failed, and is tried again."""

    deployment_id: str
    message: str


class EventEnded(Value, frozen=True, kw_only=True):
    """How `RunEvent` ended. Recorded only while that very attempt is the one in flight."""

    deployment_id: str
    target: str
    event: int
    attempt: int
    outcome: Outcome


Result: TypeAlias = Prepared | PreparationDelayed | PreparationFailed | EventEnded


class Advance(Value, frozen=True, kw_only=True):
    """What the store wants done now, and when it wants to be asked again though nothing happens.

    *withdrawn*: deployments that are prepared although nobody wants that any more.
    """

    actions: tuple[Action, ...] = ()
    withdrawn: tuple[str, ...] = ()
    wake_at: dt.datetime | None = None
