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
    """Wait before the next step. *checks*: names of those that are looked at meanwhile; one that fails ends it all."""

    duration: dt.timedelta
    checks: tuple[str, ...] = ()


class ShiftStep(Value, frozen=True, kw_only=True, tag="shift"):
    """Move production traffic until the replacement has *percent* of it.

    With *every*: *percent* more again and again, that long after each other, until it has all.
    """

    percent: int
    every: dt.timedelta | None = None
    checks: tuple[str, ...] = ()


class ScaleStep(Value, frozen=True, kw_only=True, tag="scale"):
    """Run that part of the replacement's tasks."""

    percent: int


class CheckStep(Value, frozen=True, kw_only=True, tag="check"):
    """Run checks now; one that fails ends the rollout."""

    checks: tuple[str, ...]


class RetireStep(Value, frozen=True, kw_only=True, tag="retire"):
    """Wait, then end the old version. Until then the way back is only a move of traffic."""

    after: dt.timedelta
    checks: tuple[str, ...] = ()


RolloutStep: TypeAlias = BatchStep | HoldStep | ShiftStep | ScaleStep | CheckStep | RetireStep


class Zonal(Value, frozen=True, kw_only=True):
    """One availability zone after the other. *first_monitor*, *monitor*: how long to wait after the first zone, after
    each further one but the last. *minimum_healthy*: of each zone, beside that of all hosts.

    Source: CodeDeploy API reference, "ZonalConfig".
    """

    first_monitor: dt.timedelta = dt.timedelta(0)
    monitor: dt.timedelta = dt.timedelta(0)
    minimum_healthy: MinimumHealthyHosts | None = None


class Rollout(Value, frozen=True, kw_only=True):
    """A deployment configuration: a predefined one (`CodeDeployDefault.*`) or one of the manifest's `rollouts`.

    Predefined ones for servers have no steps.

    *minimum_healthy* None: only the batches bound how many hosts are out of service.
    *max_failed* None: only the minimum of healthy hosts bounds failures.
    """

    name: str
    minimum_healthy: MinimumHealthyHosts | None = None
    max_failed: int | None = None
    zonal: Zonal | None = None
    steps: tuple[RolloutStep, ...] = ()
