"""What the watch over alarms and checks asks of the store."""

import datetime as dt
from typing import Protocol

from runner.model.aws import AwsPlace
from runner.model.checks import Alarms, Check
from runner.model.deployment import ErrorInformation
from runner.model.value import Value


class Watched(Value, frozen=True, kw_only=True):
    """A deployment that something may stop. *alarms*: of the whole deployment; None: none. *checks*: those of its step.

    *step*: where it is in its program or rollout; 0 before it begins.
    """

    deployment_id: str
    place: AwsPlace
    alarms: Alarms | None = None
    checks: dict[str, Check] = {}
    step: int = 0


class WatchStore(Protocol):
    """Every method is one transaction, and may block."""

    def watched(self) -> list[Watched]:
        """Deployments that are Queued, InProgress or Ready and have alarms, or checks now.

        None that is stopping already, and no automatic rollback: what stopped the deployment before is still on, and must
        not keep the way back shut.
        """
        ...

    def failed(self, deployment_id: str, error: ErrorInformation, now: dt.datetime, *, step: int | None = None) -> bool:
        """Let the deployment stop for *error*; the first one counts. *step*: only while it is there.

        False when that changes nothing: it has ended, is stopping already, or has gone on.
        """
        ...
