"""What the wire API needs to make deployments and to look through them, as a Protocol. Every method is one transaction."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from runner.model.application import Group
from runner.model.deployment import Deployment, Options
from runner.model.manifest import GroupSettings
from runner.model.revision import Revision
from runner.model.target import Target


class DeploymentFilter(NamedTuple):
    """Which deployments: None and empty are no condition. *since* and *until* are both included. *statuses* may name such
    as no deployment of ours ever has."""

    group_id: str | None = None
    statuses: tuple[str, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None


class Page(NamedTuple):
    """*after*: where the next page begins, None when there is none."""

    ids: list[str]
    after: int | None


class Related(NamedTuple):
    """*root*: the deployment that this one repeats for hosts that Auto Scaling launched meanwhile; *updates*: those that do
    so for this one."""

    root: str | None = None
    updates: tuple[str, ...] = ()


class DeploymentStore(Protocol):
    """Deployments by number, newest first; targets in deployment order. Pages go on behind a number or a position."""

    def create(
        self, group: Group, settings: GroupSettings, revision: Revision, options: Options, now: dt.datetime
    ) -> str:
        """Make a deployment that takes the group at once. *settings*: its snapshot. Returns its ID.

        Raises `Refused`, DeploymentLimitExceeded, when the group has one that has not ended, be it waiting.
        """
        ...

    def get(self, deployment_id: str) -> Deployment:
        """Raises `DeploymentDoesNotExist`."""
        ...

    def several(self, deployment_ids: Sequence[str]) -> list[Deployment]:
        """Those that are known, in the order of *deployment_ids*, each once."""
        ...

    def related(self, deployment_ids: Sequence[str]) -> dict[str, Related]:
        """Those of *deployment_ids* that have any."""
        ...

    def page(self, which: DeploymentFilter, after: int | None, limit: int) -> Page: ...

    def targets(self, deployment_id: str, names: Sequence[str]) -> list[Target]:
        """Those that the deployment has, in the order of *names*, each once."""
        ...

    def target_page(
        self, deployment_id: str, statuses: Sequence[str], after: int | None, limit: int, labels: Sequence[str] = ()
    ) -> Page:
        """Names of the targets in one of *statuses* and with one of *labels*; with any where none is named."""
        ...
