"""Minimum healthy hosts: how many targets may leave service together, and a rollout compiled for a number of targets.

Source: CodeDeploy user guide, "Working with deployment configurations" and "Minimum healthy hosts".
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from runner.errors import HealthConstraintsInvalid
from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, Share
from runner.model.target import InstanceHealth, RevisionHealth
from runner.model.value import Value


class Batch(Value, frozen=True, kw_only=True, tag="batch"):
    """Deploy to *size* further targets and wait until all of them have ended.

    *window*: how many of these alone may be out of service at once; None where only the whole rollout's bounds them.
    """

    size: int
    window: int | None = None


class Hold(Value, frozen=True, kw_only=True, tag="hold"):
    """Wait that long before the next step. *checks*: names of those that are looked at meanwhile."""

    duration: dt.timedelta
    checks: tuple[str, ...] = ()


Step: TypeAlias = Batch | Hold


class RolloutPlan(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A rollout for a known number of targets: predefined configurations and manifests' steps end up in this one shape.

    *window*: how many targets may be out of service at once. *max_failed*: None where only the window bounds failures.
    The batch sizes add up to *total*.
    """

    configuration: str
    total: int
    minimum_healthy: int
    window: int
    max_failed: int | None
    steps: tuple[Step, ...]

    @property
    def holds(self) -> dt.timedelta:
        """All its holds together."""
        return sum((step.duration for step in self.steps if isinstance(step, Hold)), dt.timedelta(0))


def minimum_healthy(rule: MinimumHealthyHosts, total: int) -> int:
    """Targets, of *total*, that must stay healthy. Parts are rounded up.

    One target alone is deployed to under HalfAtATime too: AWS documents no case in which it would never be.
    """
    if rule.type == "HOST_COUNT":
        return rule.value
    if rule.type == "MOST_CONCURRENCY":
        return max(0, total - rule.value)
    if total == 1 and rule.value <= 50:
        return 0
    return -(-total * rule.value // 100)


def compile_rollout(rollout: Rollout, total: int, zones: Sequence[int] = ()) -> RolloutPlan:
    """The plan of *rollout* for *total* targets (at least 1). *zones*: how many are in each, where it goes zone by zone.

    Raises `HealthConstraintsInvalid` when no target could ever be taken out of service.
    """
    floor = minimum_healthy(rollout.minimum_healthy, total) if rollout.minimum_healthy else 0
    window = total - floor
    if window <= 0:
        raise HealthConstraintsInvalid(
            f"{rollout.name} keeps {floor} of {total} hosts healthy, so that none may be taken out of service; "
            "lower the minimum of healthy hosts or add hosts"
        )
    return RolloutPlan(
        configuration=rollout.name,
        total=total,
        minimum_healthy=floor,
        window=window,
        max_failed=rollout.max_failed,
        steps=tuple(_zones(rollout, zones) if zones else _steps(rollout, total)) or (Batch(size=total),),
    )


def _zones(rollout: Rollout, zones: Sequence[int]) -> Iterable[Step]:
    assert rollout.zonal is not None
    rule = rollout.zonal.minimum_healthy
    for number, size in enumerate(zones, start=1):
        floor = minimum_healthy(rule, size) if rule else 0
        if floor >= size:
            raise HealthConstraintsInvalid(
                f"{rollout.name} keeps {floor} hosts of an availability zone healthy, and one has {size}, so that none of "
                "them may be taken out of service; lower minimumHealthyHostsPerZone or add hosts"
            )
        yield Batch(size=size, window=size - floor)
        monitor = rollout.zonal.first_monitor if number == 1 else rollout.zonal.monitor
        if monitor and number < len(zones):
            yield Hold(duration=monitor)


def _steps(rollout: Rollout, total: int) -> Iterable[Step]:
    left = total
    for step in rollout.steps:
        if isinstance(step, HoldStep):
            yield Hold(duration=step.duration, checks=step.checks)
            continue
        if not isinstance(step, BatchStep):
            continue  # servers have no such step; validation says so
        while left > 0:
            size = min(left, share(step.size, total))
            left -= size
            yield Batch(size=size)
            if not step.repeat:
                break
    if left and rollout.steps:
        # Validation demands a last batch that takes the rest; a plan never forgets a target all the same.
        yield Batch(size=left)


def share(size: Share, total: int) -> int:
    """Targets in a batch of that *size*: parts are rounded down, as CodeDeploy's batches are, but never to none."""
    return max(1, total * size.value // 100) if size.percent else size.value


_REVISION_RANK = {RevisionHealth.UNKNOWN: 0, RevisionHealth.OLD: 1, RevisionHealth.CURRENT: 2}


def deployment_order(hosts: Iterable[InstanceHealth]) -> list[InstanceHealth]:
    """Unhealthy hosts first (they cost no capacity), then unknown, old and current revisions.

    CodeDeploy's order among equals is random; ours is by name, so that a plan says what will happen.
    """
    return sorted(hosts, key=lambda host: (host.healthy, _REVISION_RANK[host.revision], host.target))
