"""Deployments of our own store as the summary tells them."""

from collections.abc import Iterable

from runner.cli.action.outcome import EventRow, Failure, Rollout, TargetRow
from runner.cli.words import between
from runner.model.deployment import Deployment
from runner.model.target import EventStatus, LifecycleEvent, Target


def rollout(deployment: Deployment, targets: Iterable[Target], *, asked: bool) -> Rollout:
    """*asked*: not a rollback."""
    rollback, known = deployment.rollback, tuple(targets)
    return Rollout(
        id=deployment.id,
        place=deployment.place,
        revision=deployment.exact.label,
        configuration=deployment.settings.rollout.name,
        status=str(deployment.status),
        took=between(deployment.started_at, deployment.completed_at),
        message=deployment.error.message if deployment.error else deployment.waiting_for or "",
        asked=asked,
        rolls_back=rollback.rollback_triggering_deployment_id if rollback else None,
        targets=tuple(_target(each) for each in known),
        failures=tuple(_failure(each, event) for each in known for event in each.lifecycle_events if _bad(event)),
    )


def _target(target: Target) -> TargetRow:
    events = (EventRow(e.name, str(e.status), _took(e)) for e in target.lifecycle_events)
    return TargetRow(target.id, str(target.status), tuple(events))


def _took(event: LifecycleEvent) -> str:
    return between(event.started_at, event.ended_at) if event.ended_at else ""


def _bad(event: LifecycleEvent) -> bool:
    return event.status is EventStatus.FAILED or (event.status is EventStatus.SKIPPED and event.diagnostics is not None)


def _failure(target: Target, event: LifecycleEvent) -> Failure:
    found = event.diagnostics
    if found is None:
        return Failure(target.id, event.name, "", "", "")
    return Failure(target.id, event.name, found.script_name, found.message, found.log_tail)
