"""How the deployments of one commit go, as a table for its pull request. Pure."""

from collections.abc import Sequence

from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.pull_request import RolloutNews, RolloutReport, RolloutRow
from runner.plan.preview_summary import shortened

MOST_ROWS = 100


def rollout_report(news: RolloutNews, deployments: Sequence[Deployment], count: int) -> RolloutReport:
    """*deployments*: those of the change, in order of creation, and what rolls them back; *count*: of the change's, all."""
    own = sum(each.change_id == news.change_id for each in deployments)
    return RolloutReport(
        repository=news.repository,
        commit_id=news.commit_id,
        rows=tuple(map(_row, deployments)),
        more=max(0, count - own),
    )


def _row(each: Deployment) -> RolloutRow:
    return RolloutRow(
        application=each.application,
        group=each.group,
        deployment_id=each.id,
        status=each.status,
        text=shortened(_text(each)),
    )


def _text(each: Deployment) -> str:
    links = each.rollback
    if links and links.rollback_triggering_deployment_id:
        said = f"rolls back {links.rollback_triggering_deployment_id}"
    elif links and links.rollback_deployment_id:
        said = f"rolled back by {links.rollback_deployment_id}"
    else:
        said = ""
    if each.error is not None:
        why = f"{each.error.code}: {each.error.message}"
    elif each.status is DeploymentStatus.SUCCEEDED:
        why = f"{each.overview.Succeeded} done, {each.overview.Failed} failed, {each.overview.Skipped} skipped"
    else:
        why = each.waiting_for or ""
    return "; ".join(part for part in (said, why) if part)
