"""Notifications into the outbox, in the transaction of what they tell."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from runner.model.deployment import Deployment
from runner.model.manifest import TriggerEvent
from runner.model.target import Target
from runner.plan.messages import deployment_message, instance_message, triggers_for
from runner.store import tables as t


def post_about_deployment(tx: sa.Connection, deployment: Deployment, event: TriggerEvent, now: dt.datetime) -> None:
    """One message for every destination whose trigger names *event*."""
    for to in triggers_for(deployment.settings, event):
        subject, body = deployment_message(deployment, event, to, now)
        _post(tx, deployment, to, event, subject, body, now)


def post_about_targets(
    tx: sa.Connection, deployment: Deployment, targets: Sequence[Target], event: TriggerEvent, now: dt.datetime
) -> None:
    for to in triggers_for(deployment.settings, event):
        for target in targets:
            subject, body = instance_message(deployment, target, event, to, now)
            _post(tx, deployment, to, event, subject, body, now)


def _post(
    tx: sa.Connection,
    deployment: Deployment,
    to: str,
    event: TriggerEvent,
    subject: str,
    body: dict[str, str | None],
    now: dt.datetime,
) -> None:
    tx.execute(
        t.outbox.insert().values(
            deployment_id=deployment.id,
            to=to,
            event=event,
            subject=subject,
            body=body,
            created_at=now,
            next_attempt_at=now,
        )
    )
