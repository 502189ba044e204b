"""Lifecycle event hooks that are Lambda functions: what is remembered of each run, as a Protocol."""

import datetime as dt
from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol, TypeAlias

HookKey: TypeAlias = tuple[str, str, str, int]
"""Deployment, target, lifecycle event, attempt."""

HookStatus: TypeAlias = Literal["InProgress", "Succeeded", "Failed", "GivenUp"]
"""Succeeded and Failed are what the function said. GivenUp: nobody waits for it any more."""


class HookExecution(NamedTuple):
    """One run of a hook function. *id*: CodeDeploy's lifecycleEventHookExecutionId; whoever knows it may end it.

    *invoked_at*: when it was recorded that it is to be invoked, so that nobody does so again; its hour begins then.
    """

    id: str
    key: HookKey
    status: HookStatus
    invoked_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None


class HookStore(Protocol):
    """Every method is one transaction, and may block. What has ended stays as it is."""

    def begin(self, key: HookKey, now: dt.datetime) -> HookExecution:
        """The execution of *key*: a new one, or as it is when *key* is known already."""
        ...

    def mark_invoked(self, execution_id: str, now: dt.datetime) -> bool:
        """Whether it is the caller's to invoke the function: True only once, and durable before it is returned."""
        ...

    def look(self, execution_ids: Collection[str]) -> dict[str, HookExecution]:
        """Those of them that are known, by their IDs."""
        ...

    def give_up(self, execution_id: str, now: dt.datetime) -> HookExecution:
        """End it unanswered, unless it has ended. Returns how it has ended: an answer may have come first."""
        ...

    def answer(
        self, deployment_id: str, execution_id: str, status: Literal["Succeeded", "Failed"], now: dt.datetime
    ) -> None:
        """End it with what the function said; the first word counts.

        Raises `Refused`: InvalidLifecycleEventHookExecutionId (the deployment has no such execution),
        LifecycleEventAlreadyCompleted (it has ended, or its deployment has).
        """
        ...
