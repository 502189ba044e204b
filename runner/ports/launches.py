"""What the watch over Auto Scaling groups asks of the store: lifecycle hooks, and the instances that they hold."""

import datetime as dt
from typing import Protocol

from runner.model.launches import Launch, LaunchHook


class LaunchStore(Protocol):
    """Every method is one transaction, and may block."""

    def wanted(self) -> list[LaunchHook]:
        """The hooks that the deployment groups of today want."""
        ...

    def installed(self) -> list[LaunchHook]:
        """Those that were, or were about to be, installed and are not known to be removed."""
        ...

    def installing(self, hook: LaunchHook) -> None:
        """It is about to be installed."""
        ...

    def removed(self, hook: LaunchHook) -> None: ...

    def launches(self) -> list[Launch]:
        """Those of which something is still to be done."""
        ...

    def known(self, hook: LaunchHook) -> set[str]:
        """The instances whose launch was ever begun for the hook's deployment group."""
        ...

    def begin(self, hook: LaunchHook, instance: str, now: dt.datetime) -> str | None:
        """Deploy the group's last successful revision to *instance*, once however often it is asked. Returns the ID of a
        deployment that was made; None where there was nothing to deploy, or the launch is known."""
        ...

    def beaten(self, launch: Launch, now: dt.datetime) -> None: ...

    def told(self, launch: Launch, now: dt.datetime) -> None:
        """Auto Scaling knows the result, or holds the instance no more: a deployment to it that runs is stopped."""
        ...

    def settle(self, launch: Launch, now: dt.datetime, *, serves: bool) -> str | None:
        """The instance is in service (*serves*), or gone: the last to be done. Where the group has another revision by
        now, those hosts that do not have it get it, once no other deployment is in the way. Returns such a deployment's
        ID."""
        ...
