"""What a finished deployment says about its hosts: who is healthy, and who has the group's revision.

Source: CodeDeploy user guide, "Minimum healthy hosts and deployments", and "instance health".
"""

from collections.abc import Iterable

from runner.model.deployment import DeploymentStatus
from runner.model.target import InstanceHealth, RevisionHealth, TargetStatus


def after_deployment(
    status: DeploymentStatus,
    known: Iterable[InstanceHealth],
    targets: dict[str, TargetStatus],
    *,
    moved: bool = True,
) -> list[InstanceHealth]:
    """The new health of every host that is known or was a target. Hosts that were not touched keep theirs,
    except that after a success they no longer have the group's newest revision.

    *moved*: the group had another revision before; else they have the newest still.
    """
    before = {health.target: health for health in known}
    names = sorted({*before, *targets})
    return [_after(status, before.get(name, InstanceHealth(target=name)), targets.get(name), moved) for name in names]


def outdated(health: InstanceHealth) -> InstanceHealth:
    """*health* of a host whose revision the group no longer has."""
    old = RevisionHealth.OLD if health.revision is RevisionHealth.CURRENT else health.revision
    return InstanceHealth(target=health.target, healthy=health.healthy, revision=old)


def _after(
    status: DeploymentStatus, before: InstanceHealth, outcome: TargetStatus | None, moved: bool
) -> InstanceHealth:
    succeeded = status is DeploymentStatus.SUCCEEDED
    if outcome is TargetStatus.SUCCEEDED:
        revision = RevisionHealth.CURRENT if succeeded else RevisionHealth.UNKNOWN
        return InstanceHealth(target=before.target, healthy=True, revision=revision)
    if outcome is TargetStatus.FAILED:
        return InstanceHealth(target=before.target, healthy=False, revision=RevisionHealth.UNKNOWN)
    if succeeded and moved and before.revision is RevisionHealth.CURRENT:
        return InstanceHealth(target=before.target, healthy=before.healthy, revision=RevisionHealth.OLD)
    return before
