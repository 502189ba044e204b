"""What `penstock status` and the listener tell: how each group and each repository stands, as values."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.change import Change
from runner.model.delivery import DeliveryState, WebhookState
from runner.model.deployment import Deployment
from runner.model.revision import Revision
from runner.model.target import InstanceHealth
from runner.model.value import Value

ChangeStatus: TypeAlias = Literal["Pending", "Acted", "Ignored", "Refused", "Superseded"]


class GroupState(Value, frozen=True, kw_only=True):
    """One deployment group. *current*: the last successful revision; *hosts*: what is known of each."""

    application: str
    group: str
    current: Revision | None
    current_since: dt.datetime | None
    active: Deployment | None
    waiting: tuple[Deployment, ...]
    last: Deployment | None
    hosts: tuple[InstanceHealth, ...]


class ChangeState(Value, frozen=True, kw_only=True):
    """One change and what became of it; *message* says why when nothing was deployed."""

    change: Change
    status: ChangeStatus
    message: str
    attempts: int
    next_attempt_at: dt.datetime | None
    deployments: tuple[str, ...] = ()


class RepositoryState(Value, frozen=True, kw_only=True):
    """How watching one repository goes. *last_seen_at*: when it last answered; *failures*: in a row, since then."""

    name: str
    last_seen_at: dt.datetime | None = None
    failures: int = 0
    last_error: str | None = None
    next_poll_at: dt.datetime | None = None  # known only to the watcher itself


class UndeliveredState(Value, frozen=True, kw_only=True):
    """Messages to one destination that still wait (*waiting*) or were given up, and what was said the last time."""

    to: str
    waiting: int
    given_up: int
    last_error: str | None = None


class PullRequestsState(Value, frozen=True, kw_only=True):
    """That the pull requests of a repository could not be told. *failures*: looks in a row; *untold*: pull requests that
    were to be told in the last one, and were not; 0 where not even that is known.
    """

    repository: str
    failures: int
    untold: int
    failed_at: dt.datetime
    error: str


class State(Value, frozen=True, kw_only=True):
    """Everything at a glance."""

    groups: tuple[GroupState, ...]
    changes: tuple[ChangeState, ...]  # the ones that want attention: pending and refused, newest first
    repositories: tuple[RepositoryState, ...]
    undelivered: int  # notifications that still wait or were given up
    undelivered_to: tuple[UndeliveredState, ...] = ()
    deliveries: tuple[DeliveryState, ...] = ()  # of webhooks: the last one for each repository
    webhooks: tuple[WebhookState, ...] = ()  # as the process found them that listens, or did last
    pull_requests: tuple[PullRequestsState, ...] = ()  # where the last look failed
