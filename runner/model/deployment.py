"""A deployment: one revision on its way to one deployment group. Its states are CodeDeploy's."""

import datetime as dt
import secrets
import string
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from runner.model.appspec import FileExistsBehavior
from runner.model.manifest import GroupSettings
from runner.model.program import WaitKind
from runner.model.revision import Revision
from runner.model.value import Value

# CodeDeploy: the watcher saw a change. autoscaling: an instance was launched. autoscalingTermination: one ends.
# CodeDeployAutoUpdate: what was launched while the group got another revision gets that.
Creator: TypeAlias = Literal[
    "user", "codeDeployRollback", "CodeDeploy", "autoscaling", "autoscalingTermination", "CodeDeployAutoUpdate"
]

BESIDE: tuple[Creator, ...] = ("autoscaling", "autoscalingTermination")
"""Who creates deployments that run beside the active one of their group: each to one instance that Auto Scaling holds."""


class DeploymentStatus(StrEnum):
    """Created waits its turn; Queued is preparing; InProgress touches targets; Ready waits for somebody to let traffic move.

    Terminal states never change.
    """

    CREATED = "Created"
    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_terminal(self) -> bool:
        return self in (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED)

    @property
    def is_active(self) -> bool:
        """Holds the deployment group: no other deployment of the group may be in such a state."""
        return self in ACTIVE


ACTIVE = (DeploymentStatus.QUEUED, DeploymentStatus.IN_PROGRESS, DeploymentStatus.READY)
UNDER_WAY = (DeploymentStatus.IN_PROGRESS, DeploymentStatus.READY)
UNFINISHED = (DeploymentStatus.CREATED, *ACTIVE)

SUCCESSORS: dict[DeploymentStatus, frozenset[DeploymentStatus]] = {
    DeploymentStatus.CREATED: frozenset({DeploymentStatus.QUEUED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}),
    DeploymentStatus.QUEUED: frozenset(
        {DeploymentStatus.IN_PROGRESS, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
    ),
    DeploymentStatus.IN_PROGRESS: frozenset(
        {DeploymentStatus.READY, DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
    ),
    DeploymentStatus.READY: frozenset(
        {DeploymentStatus.IN_PROGRESS, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
    ),
    DeploymentStatus.SUCCEEDED: frozenset(),
    DeploymentStatus.FAILED: frozenset(),
    DeploymentStatus.STOPPED: frozenset(),
}


class ErrorInformation(Value, frozen=True, kw_only=True):
    """Why a deployment failed or stopped. *code*: CodeDeploy's, or SUPERSEDED and DEPENDENCY, which are ours."""

    code: str
    message: str


class RollbackInfo(Value, frozen=True, kw_only=True):
    """The cross link of an automatic rollback, on both sides."""

    rollback_deployment_id: str | None = None
    rollback_triggering_deployment_id: str | None = None
    rollback_message: str | None = None


class Options(Value, frozen=True, kw_only=True):
    """What whoever created the deployment chose for it.

    *update_outdated_instances_only*: leave out the hosts that have the group's revision. *declared*: what the wire API was
    told beside that and gives back (`autoRollbackConfiguration`, `overrideAlarmConfiguration` ...), in its own shape.
    """

    description: str = ""
    ignore_application_stop_failures: bool = False
    file_exists_behavior: FileExistsBehavior = "DISALLOW"
    update_outdated_instances_only: bool = False
    declared: dict[str, Any] = {}


class Overview(Value, frozen=True, kw_only=True, omit_defaults=False):
    """How many targets are in which status; they add up to the number of targets."""

    Pending: int = 0
    InProgress: int = 0
    Succeeded: int = 0
    Failed: int = 0
    Skipped: int = 0
    Ready: int = 0


class Deployment(Value, frozen=True, kw_only=True):
    """One deployment as the store knows it. *group_id* survives renames; *settings* is the snapshot taken at creation.

    *pinned*: what an S3 revision without an ETag was when the deployment began.
    """

    id: str
    application: str
    group: str
    group_id: str
    revision: Revision
    pinned: Revision | None = None
    previous_revision: Revision | None = None
    appspec: str = "appspec.yml"
    settings: GroupSettings
    options: Options = Options()
    creator: Creator
    status: DeploymentStatus
    error: ErrorInformation | None = None
    rollback: RollbackInfo | None = None
    overview: Overview = Overview()
    waiting_for: str | None = None  # a sentence, while it waits for something
    waiting_until: dt.datetime | None = None
    wait: WaitKind | None = None  # of a rollout, while it is in one
    stop_requested: bool = False
    created_at: dt.datetime
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    release_id: int | None = None
    change_id: int | None = None

    @property
    def exact(self) -> Revision:
        """The revision as it can never mean something else, as far as that is known by now."""
        return self.pinned or self.revision

    @property
    def place(self) -> str:
        return f"{self.application}/{self.group}"


_ID_ALPHABET = string.ascii_uppercase + string.digits


def new_deployment_id() -> str:
    """`d-` and nine upper-case alphanumerics, as CodeDeploy's."""
    return "d-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(9))
