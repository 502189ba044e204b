"""What applications are made of, as the wire API reads and changes it, as Protocols. Every method is one transaction.

Names of resources are case-sensitive. *after*: the last name of the page before, None for the first page.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from runner.model.application import (
    Application,
    DeploymentConfig,
    Group,
    OnPremisesInstance,
    RegisteredRevision,
)
from runner.model.deployment import DeploymentStatus
from runner.model.lifecycle_actions import LifecycleHook
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.revision import Revision


class Applications(Protocol):
    def get(self, name: str) -> Application:
        """Raises `ApplicationDoesNotExist`."""
        ...

    def names(self, after: str | None, limit: int) -> list[str]: ...

    def count(self) -> int: ...

    def create(self, application: Application) -> None:
        """Raises `ApplicationAlreadyExists`."""
        ...

    def rename(self, name: str, new: str) -> None:
        """Groups, revisions, deployments and tags stay its own. Raises `ApplicationAlreadyExists`."""
        ...

    def delete(self, name: str) -> None:
        """With its groups, registered revisions, tags and the history of its deployments; all of those must have ended."""
        ...

    def unfinished(self, name: str) -> str | None:
        """The ID of one of its deployments that has not ended."""
        ...


class Attempt(NamedTuple):
    """The last deployment of a group, or the last successful one."""

    id: str
    status: DeploymentStatus
    created_at: dt.datetime
    completed_at: dt.datetime | None


class Groups(Protocol):
    """Deployment groups that were not deleted."""

    def get(self, application: str, name: str) -> Group:
        """Raises `DeploymentGroupDoesNotExist`."""
        ...

    def of_platform(self, platform: ComputePlatform) -> list[Group]: ...

    def names(self, application: str, after: str | None, limit: int) -> list[str]: ...

    def count(self, application: str) -> int: ...

    def create(self, group: Group) -> None:
        """Raises `Refused`, DeploymentGroupAlreadyExists."""
        ...

    def update(self, group: Group, settings: GroupSettings) -> None:
        """Give *group* new settings; another name renames it, in its deployments too. Raises as `create`."""
        ...

    def delete(self, group: Group, now: dt.datetime) -> None:
        """Its deployments, which must have ended, can still be asked for; its name is free."""
        ...

    def unfinished(self, group: Group) -> str | None:
        """The ID of one of its deployments that has not ended."""
        ...

    def hooks(self, *group_ids: str) -> dict[str, list[LifecycleHook]]:
        """Group ID to the lifecycle hooks that its Auto Scaling groups have."""
        ...

    def attempts(self, *deployment_ids: str | None) -> dict[str, Attempt]:
        """By the deployments' IDs; those that are not known are left out."""
        ...


class Configs(Protocol):
    """Deployment configurations, the predefined ones included."""

    def get(self, name: str) -> DeploymentConfig:
        """Raises `Refused`, DeploymentConfigDoesNotExist."""
        ...

    def names(self, after: str | None, limit: int) -> list[str]: ...

    def count(self) -> int:
        """Without the predefined ones."""
        ...

    def create(self, config: DeploymentConfig) -> None:
        """Raises `Refused`, DeploymentConfigAlreadyExists."""
        ...

    def delete(self, name: str) -> None:
        """Does nothing when it is not there."""
        ...

    def used_by(self, name: str) -> str | None:
        """A deployment group that has it, as `application/group`. A manifest's rollouts are its own, not these."""
        ...


Times: TypeAlias = Literal["registered_at", "first_used_at", "last_used_at"]


class RevisionFilter(NamedTuple):
    """Which revisions, in which order. *sort* None: in the order in which they were registered.

    *targeted*: only those that are, or are not, the target of some deployment group; None: either.
    """

    sort: Times | None = None
    descending: bool = False
    bucket: str | None = None
    key_prefix: str = ""
    targeted: bool | None = None


class RevisionPage(NamedTuple):
    """*after*: where the next page begins, None when there is none."""

    revisions: list[Revision]
    after: tuple[str, int] | None


class Revisions(Protocol):
    """The revisions that an application knows. See `runner.plan.revisions.identity` for which are the same."""

    def register(self, application: str, revision: Revision, description: str | None, now: dt.datetime) -> None:
        """Known already: only its description changes, where one is given."""
        ...

    def use(self, application: str, revision: Revision, now: dt.datetime) -> Revision:
        """Note that a deployment uses it, registering it if need be. Returns it as it is kept, so with its content.

        Raises `RevisionDoesNotExist` for an AppSpec without content that is not registered.
        """
        ...

    def get(self, application: str, revision: Revision) -> RegisteredRevision | None: ...

    def page(
        self, application: str, which: RevisionFilter, after: Sequence[str | int] | None, limit: int
    ) -> RevisionPage:
        """Goes on behind *after*, by value: revisions that come or go meanwhile move no other."""
        ...


class ResourceTags(Protocol):
    """*resource*: its kind and ID, such as `application/7e1f...`."""

    def of(self, resource: str) -> dict[str, str]: ...

    def add(self, resource: str, tags: Mapping[str, str]) -> None:
        """A key that is there gets the new value."""
        ...

    def remove(self, resource: str, keys: Sequence[str]) -> None: ...


class Instances(Protocol):
    """On-premises instances that were registered through the wire API."""

    def find(self, name: str) -> OnPremisesInstance | None:
        """The registered one, else the last one that was deregistered."""
        ...

    def registered(self) -> list[OnPremisesInstance]: ...

    def page(self, registered: bool | None, after: str | None, limit: int) -> list[OnPremisesInstance]:
        """By name, each name once. *registered* None: deregistered ones too."""
        ...

    def register(self, instance: OnPremisesInstance) -> None:
        """Raises `Refused`: InstanceNameAlreadyRegistered, IamUserArnAlreadyRegistered, IamSessionArnAlreadyRegistered."""
        ...

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        """Replace all tags of a registered instance."""
        ...

    def deregister(self, name: str, now: dt.datetime) -> None:
        """Does nothing when no registered instance has the name."""
        ...


class CatalogStore(Protocol):
    @property
    def applications(self) -> Applications: ...

    @property
    def groups(self) -> Groups: ...

    @property
    def configs(self) -> Configs: ...

    @property
    def revisions(self) -> Revisions: ...

    @property
    def tags(self) -> ResourceTags: ...

    @property
    def instances(self) -> Instances: ...
