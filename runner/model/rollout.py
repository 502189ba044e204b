"""How carefully: deployment configurations and rollout steps, before they meet a number of hosts."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.value import Value


class Share(Value, frozen=True, kw_only=True):
    """A count of hosts or a part of the fleet. *percent*: 0 to 100 when it is a part."""

    value: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


class MinimumHealthyHosts(Value, frozen=True, kw_only=True):
    """CodeDeploy's own form. MOST_CONCURRENCY n: all hosts but n."""

    type: Literal["HOST_COUNT", "FLEET_PERCENT", "MOST_CONCURRENCY"]
    value: int


class BatchStep(Value, frozen=True, kw_only=True, tag="batch"):
    """Deploy to *size* further hosts; *repeat*: again and again until none is left."""

    size: Share
    repeat: bool = False


class HoldStep(Value, frozen=True, kw_only=True, tag="hold"):
    """Wait before the next step."""

    duration: dt.timedelta


RolloutStep: TypeAlias = BatchStep | HoldStep


class Rollout(Value, frozen=True, kw_only=True):
    """A deployment configuration: a predefined one (`CodeDeployDefault.*`, no steps) or one of the manifest's `rollouts`.

    *minimum_healthy* None: only the batches bound how many hosts are out of service.
    *max_failed* None: only the minimum of healthy hosts bounds failures.
    """

    name: str
    minimum_healthy: MinimumHealthyHosts | None = None
    max_failed: int | None = None
    steps: tuple[RolloutStep, ...] = ()
