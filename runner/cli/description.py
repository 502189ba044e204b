"""One deployment, told to an engineer at 3 a.m.: what happened, where, in which script, and what to do now."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from runner.cli.next_steps import is_divided, next_steps
from runner.cli.screen import line, status, table
from runner.cli.target_table import show_targets
from runner.cli.traffic import traffic
from runner.cli.words import between, moment, one_line, printable, span
from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.target import Diagnostics, EventStatus, LifecycleEvent, Target
from runner.service import Description

if TYPE_CHECKING:
    from rich.console import Console

_CREATORS = {
    "user": "by hand",
    "codeDeployRollback": "as a rollback",
    "CodeDeploy": "by the watcher",
    "autoscaling": "for an instance that Auto Scaling launched",
    "autoscalingTermination": "for an instance that Auto Scaling ends",
    "CodeDeployAutoUpdate": "for hosts that were launched meanwhile",
}

RUNNING_SHOWN = 5  # targets whose output is shown while they run
LINES_SHOWN = 5


def show(
    out: "Console",
    described: Description,
    rollback: Deployment | None,
    said: Callable[[str], str],
    now: dt.datetime,
    awaited: Mapping[str, str],
) -> None:
    """Print it all. *rollback*: the deployment that rolls this one back. *said*: a target to what its scripts printed.

    *awaited*: targets whose agent has not taken up its event, to what is known of the agent.
    """
    _header(out, described)
    _outcome(out, described, rollback)
    if described.targets:
        out.print()
        show_targets(out, described.targets, now)
    for target, event in _running(described)[:RUNNING_SHOWN]:
        _in_flight(out, target, event, said(target.id), now)
        if target.id in awaited:
            line(out, f"  {awaited[target.id]}")
    for target in described.targets:
        for event in target.lifecycle_events:
            if event.status is EventStatus.FAILED or (event.status is EventStatus.SKIPPED and event.diagnostics):
                _failure(out, target, event)
    if steps := list(next_steps(described, rollback)):
        out.print()
        line(out, "what you can do:")
        table(out, ("", ""), steps, indent=2)


def _header(out: "Console", described: Description) -> None:
    deployment = described.deployment
    line(out, Text(deployment.id, style="bold"), f" {deployment.place} ", status(deployment.status))
    ended = deployment.status.is_terminal
    rows = [
        ("revision", deployment.revision.label + _before(deployment)),
        ("rollout", deployment.settings.rollout.name),
        *([("traffic", str(balancing))] if (balancing := deployment.settings.load_balancer) else []),
        *(("traffic", traffic(target.state, ended=ended)) for target in described.targets if target.state),
        ("created", f"{moment(deployment.created_at)} {_CREATORS[deployment.creator]}"),
        ("started", moment(deployment.started_at)),
        ("ended", f"{moment(deployment.completed_at)} {_took(deployment)}"),
    ]
    if deployment.options.description:
        rows.append(("why", one_line(deployment.options.description)))
    table(out, ("", ""), rows, indent=2)


def _before(deployment: Deployment) -> str:
    """What the group had; not where a function or a service is given back to what served."""
    before = deployment.previous_revision
    if before is None or (before == deployment.revision and deployment.settings.platform != "Server"):
        return ""
    return f" (before: {before.short})"


def _took(deployment: Deployment) -> str:
    took = between(deployment.started_at, deployment.completed_at)
    return f"(took {took})" if took != "-" else ""


def _outcome(out: "Console", described: Description, rollback: Deployment | None) -> None:
    deployment = described.deployment
    if deployment.error:
        out.print()
        line(
            out,
            Text(f"{deployment.status}: ", style="bold red"),
            deployment.error.message,
            f" ({deployment.error.code})",
        )
    if deployment.waiting_for:
        left = f", until {moment(deployment.waiting_until)}" if deployment.waiting_until else ""
        line(out, f"waits for {deployment.waiting_for}{left}")
    if deployment.stop_requested and not deployment.status.is_terminal:
        line(out, "a stop was requested: events in flight end, nothing more is started")
    info = deployment.rollback
    if rollback is not None:
        line(out, f"rolled back by {rollback.id}{_back_to(rollback)}: ", status(rollback.status))
    elif info and info.rollback_triggering_deployment_id:
        line(out, f"rolls back {info.rollback_triggering_deployment_id}{_back_to(deployment)}")
    elif info and info.rollback_message:
        line(out, info.rollback_message)
    elif deployment.status in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED) and deployment.started_at:
        line(out, f"not rolled back by itself: {_left(described)}")


def _back_to(rollback: Deployment) -> str:
    """A function or a service gets back what it had before, whoever had put that there; nothing is deployed."""
    return f" to {rollback.revision.short}" if rollback.settings.platform == "Server" else " to what served before"


def _left(described: Description) -> str:
    if described.deployment.settings.platform == "Server":
        return "hosts that were reached kept what they had then"
    return f"the traffic stayed {'divided, ' if is_divided(described.targets) else ''}as it was then"


def _running(described: Description) -> list[tuple[Target, LifecycleEvent]]:
    return [
        (target, event)
        for target in described.targets
        for event in target.lifecycle_events
        if event.status is EventStatus.IN_PROGRESS
    ]


def _in_flight(out: "Console", target: Target, event: LifecycleEvent, said: str, now: dt.datetime) -> None:
    """What a target does at this moment: nothing helps more against a script that hangs than its last words."""
    since = f" for {span(now - event.started_at)}" if event.started_at else ""
    out.print()
    line(out, Text(f"{target.id} is in {event.name}", style="bold cyan"), since)
    of_event = said.rpartition(f"LifecycleEvent - {event.name}\n")[2] if f"- {event.name}\n" in said else ""
    for text in printable(of_event).splitlines()[-LINES_SHOWN:]:
        line(out, f"  | {text}")


def _failure(out: "Console", target: Target, event: LifecycleEvent) -> None:
    found = event.diagnostics
    out.print()
    what = "did not begin" if event.status is EventStatus.SKIPPED else "failed in"
    line(out, Text(f"{target.id} {what} {event.name}", style="bold red"), f" at {moment(event.ended_at)}")
    if found is None:
        return
    if found.script_name:
        line(out, f"  script   {found.script_name}")
    line(out, f"  error    {_said(found)}")
    for text in printable(found.log_tail).splitlines():
        line(out, f"  | {text}")


def _said(found: Diagnostics) -> str:
    """Only what a script did has a code that says something."""
    if found.error_code == "UnknownError":
        return one_line(found.message) or "it ended, and nobody said why"
    return f"{found.error_code}: {one_line(found.message)}"
