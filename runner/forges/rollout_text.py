"""How the deployments of a commit go, as the text of a comment."""

from runner.forges.markdown import Markup, fitting, table
from runner.model.deployment import DeploymentStatus
from runner.model.pull_request import RolloutReport, RolloutRow
from runner.plan.words import count

ROLLOUT = "rollout"  # the name of its marker
_HEADS = ("Application", "Group", "Deployment", "Status", "")
_WORDS = {
    DeploymentStatus.CREATED: "waits",
    DeploymentStatus.QUEUED: "begins",
    DeploymentStatus.IN_PROGRESS: "in progress",
}


def rollout_comment(report: RolloutReport, board: str | None, markup: Markup) -> str:
    """*board*: where a deployment's page is, below `deployments/`; None: nowhere."""
    more = (
        [f"*{count(report.more, 'deployment')} more {'is' if report.more == 1 else 'are'} not shown.*"]
        if report.more
        else []
    )
    rows = table(_HEADS, [_row(each, board, markup) for each in report.rows])
    first = f"{markup.marker(ROLLOUT)}\n\n### {_title(report)}\n\n{rows}"
    return fitting(first, more, markup.small(f"Penstock, of {report.commit_id[:10]}."), markup.longest)


def _title(report: RolloutReport) -> str:
    """Of what has ended badly first, then of what is not over."""
    states = [each.status for each in report.rows]
    bad = sum(each in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED) for each in states)
    going = sum(not each.is_terminal for each in states)
    if bad:
        return f"{bad} of {count(len(states), 'deployment')} failed or stopped"
    return f"Deploying: {len(states) - going} of {count(len(states), 'deployment')} done" if going else "Deployed"


def _row(each: RolloutRow, board: str | None, markup: Markup) -> tuple[str, ...]:
    code = markup.code
    name = code(each.deployment_id)
    linked = f"[{name}]({board.rstrip('/')}/deployments/{each.deployment_id})" if board else name
    status = _WORDS.get(each.status, str(each.status.value).lower())
    return code(each.application), code(each.group), linked, status, code(each.text)
