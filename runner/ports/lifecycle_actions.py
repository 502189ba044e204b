"""What the watch over Auto Scaling groups asks of the store: lifecycle hooks, and the instances that they hold."""

import datetime as dt
from typing import Protocol

from runner.model.lifecycle_actions import LifecycleAction, LifecycleHook


class LifecycleActionStore(Protocol):
    """Every method is one transaction, and may block."""

    def wanted(self) -> list[LifecycleHook]:
        """The hooks that the deployment groups of today want."""
        ...

    def installed(self) -> list[LifecycleHook]:
        """Those that were, or were about to be, installed and are not known to be removed."""
        ...

    def installing(self, hook: LifecycleHook) -> None:
        """It is about to be installed."""
        ...

    def removed(self, hook: LifecycleHook) -> None: ...

    def actions(self) -> list[LifecycleAction]:
        """Those of which something is still to be done."""
        ...

    def known(self, hook: LifecycleHook) -> set[str]:
        """The instances of which an action was ever begun, in this transition, for the hook's deployment group."""
        ...

    def begin(self, hook: LifecycleHook, instance: str, now: dt.datetime) -> str | None:
        """Make the deployment to *instance*, once however often it is asked: of the group's last successful revision to
        one that is launched, to stop what runs on one that ends. Returns its ID; None where the action is known, the
        group has no revision, or the instance that ends never was a target of the group."""
        ...

    def beaten(self, action: LifecycleAction, now: dt.datetime) -> None: ...

    def told(self, action: LifecycleAction, now: dt.datetime) -> None:
        """Auto Scaling knows the result, or holds the instance no more: a deployment to it that runs is stopped. One that
        ends is no host of the group from then on."""
        ...

    def settle(self, action: LifecycleAction, now: dt.datetime, *, serves: bool) -> str | None:
        """The launched instance is in service (*serves*), or gone: the last to be done. Where the group has another
        revision by now, those hosts that do not have it get it, once no other deployment is in the way. Returns such a
        deployment's ID."""
        ...
