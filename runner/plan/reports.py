"""Which deployments are reported to a forge, and what is said of them. Pure: who tells it, and when, is for others."""

from collections.abc import Iterable
from typing import NamedTuple

from runner.model.deployment import BESIDE, Deployment
from runner.model.manifest import TriggerEvent
from runner.model.report import Report, Reporting, ReportKind, ReportState
from runner.model.revision import GitHubRevision, GitRevision, ImageRevision

LONGEST_TEXT = 140  # characters: GitHub's limit for descriptions, the shortest of all

_STATES: dict[TriggerEvent, ReportState] = {
    "DeploymentStart": "Running",
    "DeploymentReady": "Waiting",
    "DeploymentSuccess": "Succeeded",
    "DeploymentFailure": "Failed",
    "DeploymentStop": "Stopped",
}


class Origin(NamedTuple):
    """A commit of a configured repository, or of one on GitHub (`OWNER/NAME`)."""

    repository: str
    commit_id: str
    on_github: bool = False


def origin_of(deployment: Deployment) -> Origin | None:
    """The commit that the deployment's revision is; None where the revision is none."""
    match deployment.revision:
        case GitRevision(repository=name, commit_id=commit_id) | ImageRevision(git=name, commit_id=commit_id):
            return Origin(name, commit_id)
        case GitHubRevision(repository=name, commit_id=commit_id):
            return Origin(name.lower(), commit_id, on_github=True)
    return None


def is_reported(deployment: Deployment, event: TriggerEvent) -> bool:
    """Whether a commit has come to a group, or failed to. What is launched beside that gets what the group has already."""
    return event in _STATES and deployment.creator not in (*BESIDE, "CodeDeployAutoUpdate")


def reporting_of(origin: Origin, reportings: Iterable[Reporting]) -> Reporting | None:
    """Where deployments of *origin* are reported; None: nowhere."""
    for each in reportings:
        if origin.repository == (each.github if origin.on_github else each.repository):
            return each
    return None


def reports(deployment: Deployment, event: TriggerEvent, origin: Origin, where: Reporting) -> list[Report]:
    """The status of the commit; also the deployment, where the forge lets others than itself tell of them."""
    kinds: tuple[ReportKind, ...] = ("status",) if where.forge == "bitbucket" else ("status", "deployment")
    state = _STATES[event]
    return [
        Report(
            kind=kind,
            repository=where.repository,
            commit_id=origin.commit_id,
            application=deployment.application,
            group=deployment.group,
            deployment_id=deployment.id,
            state=state,
            text=_shortened(_text(deployment, state)),
            created_at=deployment.created_at,
        )
        for kind in kinds
    ]


def _text(deployment: Deployment, state: ReportState) -> str:
    counts, undone = deployment.overview, None
    if deployment.rollback is not None:
        undone = deployment.rollback.rollback_triggering_deployment_id
    what = f"{deployment.id}, rolling back {undone}," if undone else deployment.id
    match state:
        case "Running":
            return f"{what} has begun"
        case "Waiting":
            return f"{what} waits for somebody to let its traffic move"
        case "Succeeded":
            return f"{what} succeeded: {counts.Succeeded} done, {counts.Failed} failed, {counts.Skipped} skipped"
    why = deployment.error.message if deployment.error else ""
    return f"{what} {state.lower()}: {why}" if why else f"{what} {state.lower()}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."
