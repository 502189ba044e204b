"""What somebody can do about a deployment now: the commands, to be copied."""

from collections.abc import Iterator

from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.target import Target, TargetStatus
from runner.service import Description

_ALL = 100  # percent of the traffic
_GIVE_BACK = "give the traffic back to what served before"


def next_steps(described: Description, rollback: Deployment | None) -> Iterator[tuple[str, str]]:
    """Exact commands and what they are for, the most urgent first. *rollback*: the deployment that rolls this one back."""
    deployment, failed = described.deployment, _first_failed(described.targets)
    if not deployment.status.is_terminal:
        yield f"penstock show {deployment.id} --follow", "watch it"
        if deployment.waiting_until:
            yield f"penstock continue {deployment.id}", "end the wait now"
        yield f"penstock stop {deployment.id}", "stop it"
        yield "penstock sync", "carry it on, where no `penstock serve` does"
        return
    failing = deployment.status is not DeploymentStatus.SUCCEEDED
    divided = failing and is_divided(described.targets) and not _is_gone(rollback)
    if divided:  # nothing else can be deployed before
        yield _way_back(deployment)
    if failed or _has_fleet_trouble(deployment):
        yield _logs(deployment, failed)
    if rollback is not None:
        yield f"penstock show {rollback.id}", f"the rollback, {rollback.status}"
    if deployment.status is DeploymentStatus.SUCCEEDED:
        if deployment.previous_revision not in (None, deployment.revision):
            yield f"penstock rollback {deployment.id}", "bring the group back to what it had before"
        elif deployment.settings.platform == "Lambda" and _undone(deployment) is None:
            yield f"penstock rollback {deployment.id}", _GIVE_BACK
        return
    if deployment.settings.platform != "Server":
        yield from _of_traffic(deployment, rollback, told=divided)
        return
    yield f"penstock redeploy {deployment.id}", "try the same revision again"
    if rollback is None and deployment.previous_revision:
        yield (
            f"penstock redeploy {deployment.place}",
            f"deploy {deployment.previous_revision.short}, the last that was good",
        )


def is_divided(targets: tuple[Target, ...]) -> bool:
    """Whether a function or a service has its traffic on two versions."""
    return any(target.state is not None and 0 < target.state.weight < _ALL for target in targets)


def _has_fleet_trouble(deployment: Deployment) -> bool:
    """What is done to whole fleets has an output, but no target."""
    return deployment.settings.green is not None and deployment.status is DeploymentStatus.FAILED


def _logs(deployment: Deployment, target: str | None) -> tuple[str, str]:
    if deployment.settings.platform == "Server" and target is None:
        return f"penstock logs {deployment.id}", "all that was done to fleets, and what scripts printed"
    if deployment.settings.platform == "Server":
        return f"penstock logs {deployment.id} --target {target}", "all that its scripts printed"
    return f"penstock logs {deployment.id}", "all that was done, and what hooks printed"


def _way_back(deployment: Deployment) -> tuple[str, str]:
    if undone := _undone(deployment):
        return f"penstock rollback {undone}", f"try again to {_GIVE_BACK}"
    return f"penstock rollback {deployment.id}", _GIVE_BACK


def _of_traffic(deployment: Deployment, rollback: Deployment | None, *, told: bool) -> Iterator[tuple[str, str]]:
    """A deployment begins only where the traffic is undivided, so the way back comes first, unless it has been gone.

    *told*: it has been named already.
    """
    if _undone(deployment):  # to deploy its revision would be the way forward
        yield from () if told else (_way_back(deployment),)
        return
    first = deployment.started_at is not None and not _is_gone(rollback)
    if first and not told:
        yield _way_back(deployment)
    yield f"penstock redeploy {deployment.id}", f"{'then ' if first else ''}try the same revision again"


def _is_gone(rollback: Deployment | None) -> bool:
    """Whether the way back has been gone, or is being gone."""
    return rollback is not None and rollback.status not in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)


def _undone(deployment: Deployment) -> str | None:
    """Which deployment it rolls back."""
    return deployment.rollback.rollback_triggering_deployment_id if deployment.rollback else None


def _first_failed(targets: tuple[Target, ...]) -> str | None:
    return next((target.id for target in targets if target.status is TargetStatus.FAILED), None)
