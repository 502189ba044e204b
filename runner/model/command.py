"""What the executor asks of a platform, and what comes back: one lifecycle event on one target."""

import datetime as dt
from typing import Literal

from runner.model.appspec import AppSpec, FileExistsBehavior
from runner.model.fleets import Fleet
from runner.model.manifest import GroupSettings
from runner.model.program import TargetState
from runner.model.revision import Bundle, Revision
from runner.model.target import Diagnostics, Host
from runner.model.traffic import LoadBalancing
from runner.model.value import Value


class Job(Value, frozen=True, kw_only=True):
    """Everything about a deployment that a host needs; the same for all its targets and lifecycle events."""

    deployment_id: str
    application: str
    group: str
    group_id: str
    revision: Revision
    bundle: Bundle
    appspec: AppSpec
    appspec_file: str = "appspec.yml"  # its path inside the bundle
    file_exists_behavior: FileExistsBehavior = "DISALLOW"
    load_balancer: LoadBalancing | None = None
    creator: str = "user"  # of the deployment, see `model.deployment.Creator`
    deployment_type: Literal["IN_PLACE", "BLUE_GREEN"] = "IN_PLACE"


class Command(Value, frozen=True, kw_only=True):
    """Run *lifecycle_event* on *host*. (deployment, host, lifecycle_event, attempt) is the idempotency key."""

    job: Job
    host: Host
    lifecycle_event: str
    attempt: int
    is_last: bool = False  # no further event follows on this target: its session may close

    @property
    def key(self) -> tuple[str, str, str, int]:
        return (self.job.deployment_id, self.host.name, self.lifecycle_event, self.attempt)


class Outcome(Value, frozen=True, kw_only=True):
    """How a command ended on its host. An event without a script succeeds at once.

    *began*: false when nobody on the host ever took it up; then nothing has happened there. *code*: CodeDeploy's error
    code for the deployment that fails by it, where that says more than HEALTH_CONSTRAINTS. *state*: of a target whose
    traffic moves, as it is now; None: as before. *hosts*: of a fleet that was made.
    """

    succeeded: bool
    diagnostics: Diagnostics = Diagnostics()
    started_at: dt.datetime | None = None  # by the host's clock
    ended_at: dt.datetime | None = None
    began: bool = True
    code: str = ""
    state: TargetState | None = None
    hosts: tuple[Host, ...] = ()


class FleetTask(Value, frozen=True, kw_only=True):
    """Do *event* with whole fleets of a blue/green deployment on servers: Provision (make the replacement), Attach (what it
    launches from now on gets traffic) or Terminate (end the original). (deployment, event) is the idempotency key.

    *original*: what it is by; *hosts*: what it was when the deployment began. *replacement*: what is or will be there.
    *restoring*: the original gets back what it had.
    """

    deployment_id: str
    event: str
    application: str
    group: str
    settings: GroupSettings
    original: Fleet
    replacement: Fleet
    hosts: tuple[Host, ...]
    restoring: bool = False
