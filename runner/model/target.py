"""Targets: the hosts that a deployment group reaches, and how far each of them is."""

import datetime as dt
from enum import StrEnum
from typing import Literal

from runner.model.value import Value


class Host(Value, frozen=True, kw_only=True):
    """One machine of the runner's configuration.

    *folder*: on a `local` host, the folder that stands for the machine's `/`. *environment*: added to its hooks' own.
    """

    name: str
    transport: Literal["local"] = "local"
    folder: str = "/"
    tags: dict[str, str] = {}
    environment: dict[str, str] = {}


class TargetStatus(StrEnum):
    """Status of one target of a deployment; CodeDeploy's words."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"

    @property
    def is_terminal(self) -> bool:
        return self in (TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED)


class EventStatus(StrEnum):
    """Status of one lifecycle event on one target."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class RevisionHealth(StrEnum):
    """What a host has, relative to the group's last successful revision."""

    CURRENT = "Current"
    OLD = "Old"
    UNKNOWN = "Unknown"


class InstanceHealth(Value, frozen=True, kw_only=True):
    """What the last deployment left on a host. *healthy*: its own last outcome; a host never deployed to is not."""

    target: str
    healthy: bool = False
    revision: RevisionHealth = RevisionHealth.UNKNOWN


class Diagnostics(Value, frozen=True, kw_only=True):
    """Why a lifecycle event ended as it did; CodeDeploy's shape. *log_tail*: the last lines of the script's output."""

    error_code: Literal[
        "Success", "ScriptMissing", "ScriptNotExecutable", "ScriptTimedOut", "ScriptFailed", "UnknownError"
    ] = "Success"
    script_name: str = ""
    message: str = ""
    log_tail: str = ""


class LifecycleEvent(Value, frozen=True, kw_only=True):
    """One lifecycle event of one target, as it went."""

    name: str
    status: EventStatus
    attempt: int = 0
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    diagnostics: Diagnostics | None = None


class Target(Value, frozen=True, kw_only=True):
    """One target of one deployment, with its lifecycle events in order."""

    id: str
    status: TargetStatus
    updated_at: dt.datetime | None = None
    lifecycle_events: tuple[LifecycleEvent, ...] = ()
