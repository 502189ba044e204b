"""Targets: the hosts that a deployment group reaches, and how far each of them is."""

import datetime as dt
from enum import StrEnum
from typing import Literal

from runner.model.fleets import Label
from runner.model.program import TargetState
from runner.model.value import Value


class Ssh(Value, frozen=True, kw_only=True):
    """How a host is reached over SSH. What is None comes from `~/.ssh/config`, or is what OpenSSH would take.

    *address*: None for the host's name. *proxy_jump*: hops as `[USER@]HOST[:PORT]`, with commas between; "none" for none.
    *sudo*: the executor runs as root, by `sudo -n`. *python*: the interpreter on the host; None for `python3`.
    *connect_timeout*: until logged in. *command_timeout*: for our own commands there. *keepalive*: three unanswered mean
    broken. *linger*: how long the executor stays on the host when a session is over, so that the next starts at once.
    """

    address: str | None = None
    user: str | None = None
    port: int | None = None
    identity_files: tuple[str, ...] = ()
    proxy_jump: str | None = None
    sudo: bool = False
    python: str | None = None
    known_hosts: str | None = None
    connect_timeout: dt.timedelta = dt.timedelta(seconds=10)
    command_timeout: dt.timedelta = dt.timedelta(seconds=30)
    keepalive: dt.timedelta = dt.timedelta(seconds=15)
    linger: dt.timedelta = dt.timedelta(minutes=5)


class Host(Value, frozen=True, kw_only=True):
    """One machine of the runner's configuration.

    *folder*: the folder that stands for the machine's `/`. *ssh*: on an `ssh` host, how it is reached; else None. An
    `agent` host is not reached: an agent on it asks for its commands.
    *environment*: added to its hooks' own. *zone*: its availability zone; *instance*: its ID in EC2; empty outside AWS.
    """

    name: str
    transport: Literal["local", "ssh", "agent"] = "local"
    folder: str = "/"
    ssh: Ssh | None = None
    tags: dict[str, str] = {}
    environment: dict[str, str] = {}
    zone: str = ""
    instance: str = ""


class HostKey(Value, frozen=True, kw_only=True):
    """The SSH key that the machine *name* showed. *known*: the known_hosts *file* had it already."""

    name: str
    type: str
    fingerprint: str
    known: bool
    file: str


class TargetStatus(StrEnum):
    """Status of one target of a deployment; CodeDeploy's words. Ready: its replacement waits for traffic."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    READY = "Ready"
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
    """One target of one deployment, with its lifecycle events in order.

    *state*: of a Lambda function or an ECS service; None for a host. *label*: of a host in a blue/green deployment.
    """

    id: str
    status: TargetStatus
    updated_at: dt.datetime | None = None
    lifecycle_events: tuple[LifecycleEvent, ...] = ()
    state: TargetState | None = None
    label: Label | None = None
