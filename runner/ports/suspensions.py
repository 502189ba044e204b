"""Where it is remembered which processes of Auto Scaling groups are suspended for a deployment."""

import datetime as dt
from collections.abc import Callable
from typing import Protocol

from runner.model.aws import AwsPlace
from runner.model.ec2 import Process
from runner.model.value import Value


class Suspension(Value, frozen=True, kw_only=True):
    """*processes* of one Auto Scaling *group* at *place*, for one deployment."""

    deployment_id: str
    place: AwsPlace
    group: str
    processes: tuple[Process, ...]


class SuspensionStore(Protocol):
    """Every method is one transaction, and may block."""

    def begin(
        self,
        deployment_id: str,
        place: AwsPlace,
        group: str,
        choose: Callable[[frozenset[Process]], tuple[Process, ...]],
        now: dt.datetime,
    ) -> Suspension | None:
        """Record that processes are about to be suspended; what was recorded before for the same stays as it is.

        *choose*: takes the processes that are suspended for other deployments, and answers which to suspend; where there
        are none, nothing is recorded. None where the record says that they have been resumed already: the deployment is
        over.
        """
        ...

    def over(self) -> list[tuple[Suspension, tuple[Process, ...]]]:
        """Those of deployments that have ended, each with what is to be resumed: what no other deployment needs."""
        ...

    def resumed(self, suspension: Suspension, now: dt.datetime, *, gone: bool = False) -> None:
        """*gone*: the group is not there any more."""
        ...

    def not_resumed(self, suspension: Suspension, why: str, now: dt.datetime) -> None:
        """Tell it in the deployment's journal."""
        ...
