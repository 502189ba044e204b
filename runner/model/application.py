"""What deployments are made of, as it is kept: applications, groups, configurations, registered revisions, instances."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.revision import Revision
from runner.model.rollout import HoldStep, MinimumHealthyHosts, Rollout, RolloutStep, ShiftStep, Zonal
from runner.model.target import Host
from runner.model.value import Value


class Owner(Value, frozen=True, kw_only=True):
    """The manifest that an application comes from: it is changed there, and nowhere else."""

    repository: str
    file: str

    def __str__(self) -> str:
        return f"{self.file} of repository {self.repository}"


class Application(Value, frozen=True, kw_only=True):
    """*id*: stays when it is renamed. *owner*: None where it was made through the wire API."""

    id: str
    name: str
    platform: ComputePlatform
    owner: Owner | None = None
    created_at: dt.datetime


class Group(Value, frozen=True, kw_only=True):
    """A deployment group. *target_revision*: attempted last. *last_attempted*, *last_successful*: IDs of deployments."""

    id: str
    application: str
    settings: GroupSettings
    platform: ComputePlatform
    owner: Owner | None = None
    target_revision: Revision | None = None
    last_attempted: str | None = None
    last_successful: str | None = None
    created_at: dt.datetime

    @property
    def name(self) -> str:
        return self.settings.name


class DeploymentConfig(Value, frozen=True, kw_only=True):
    """A named deployment configuration; it never changes. *created_at*: None for a predefined one.

    *traffic* and *zonal* have the shapes of the wire API's `trafficRoutingConfig` and `zonalConfig`.
    """

    id: str
    name: str
    platform: ComputePlatform
    minimum_healthy: MinimumHealthyHosts | None = None
    traffic: dict[str, Any] | None = None
    zonal: dict[str, Any] | None = None
    created_at: dt.datetime | None = None

    @property
    def rollout(self) -> Rollout:
        """The same as steps, in the one form that manifests' rollouts have as well."""
        steps = tuple(_shifts(self.traffic)) if self.traffic else ()
        zonal = _zones(self.zonal) if self.zonal else None
        return Rollout(name=self.name, minimum_healthy=self.minimum_healthy, zonal=zonal, steps=steps)


def _shifts(traffic: Mapping[str, Any]) -> Iterator[RolloutStep]:
    """Source: CodeDeploy API reference, "TrafficRoutingConfig"."""
    if linear := traffic.get("timeBasedLinear"):
        every = dt.timedelta(minutes=linear["linearInterval"])
        yield ShiftStep(percent=linear["linearPercentage"], every=every)
        return
    if canary := traffic.get("timeBasedCanary"):
        yield ShiftStep(percent=canary["canaryPercentage"])
        yield HoldStep(duration=dt.timedelta(minutes=canary["canaryInterval"]))
    yield ShiftStep(percent=100)


def _zones(zonal: Mapping[str, Any]) -> Zonal:
    """Without a length of its own the first zone is watched as long as the others."""
    monitor = zonal.get("monitorDurationInSeconds") or 0
    first = zonal.get("firstZoneMonitorDurationInSeconds")
    minimum = zonal.get("minimumHealthyHostsPerZone")
    return Zonal(
        first_monitor=dt.timedelta(seconds=monitor if first is None else first),
        monitor=dt.timedelta(seconds=monitor),
        minimum_healthy=MinimumHealthyHosts(type=minimum["type"], value=minimum.get("value") or 0) if minimum else None,
    )


class RegisteredRevision(Value, frozen=True, kw_only=True):
    """A revision that an application knows. *groups*: names of the groups whose target it is."""

    application: str
    revision: Revision
    description: str = ""
    registered_at: dt.datetime
    first_used_at: dt.datetime | None = None
    last_used_at: dt.datetime | None = None
    groups: tuple[str, ...] = ()


class OnPremisesInstance(Value, frozen=True, kw_only=True):
    """A host that was registered through the wire API. Exactly one of the two ARNs is there."""

    name: str
    iam_user_arn: str | None = None
    iam_session_arn: str | None = None
    tags: dict[str, str] = {}
    registered_at: dt.datetime
    deregistered_at: dt.datetime | None = None

    @property
    def host(self) -> Host:
        """As deployments see it: its agent asks for its commands."""
        return Host(name=self.name, transport="agent", tags=self.tags)
