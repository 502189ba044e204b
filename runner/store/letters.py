"""Notifications into the outbox, in the transaction of what they tell."""

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from runner.model.deployment import Deployment
from runner.model.manifest import TriggerEvent
from runner.model.report import Reporting
from runner.model.target import Target
from runner.plan.messages import deployment_message, instance_message, triggers_for
from runner.plan.reports import Origin, is_reported, origin_of, reporting_of, reports
from runner.store import outbox
from runner.store import tables as t
from runner.store.rollouts import news_of, post_news


def post_about_deployment(tx: sa.Connection, deployment: Deployment, event: TriggerEvent, now: dt.datetime) -> None:
    """One message for every destination whose trigger names *event*, and the reports to the forge of its repository."""
    for to in triggers_for(deployment.settings, event):
        subject, body = deployment_message(deployment, event, to, now)
        outbox.put(tx, deployment.id, to, event, subject, body, now)
    _report(tx, deployment, event, now)


def post_about_targets(
    tx: sa.Connection, deployment: Deployment, targets: Sequence[Target], event: TriggerEvent, now: dt.datetime
) -> None:
    for to in triggers_for(deployment.settings, event):
        for target in targets:
            subject, body = instance_message(deployment, target, event, to, now)
            outbox.put(tx, deployment.id, to, event, subject, body, now)


def _report(tx: sa.Connection, deployment: Deployment, event: TriggerEvent, now: dt.datetime) -> None:
    """*tx* carries where deployments of which repository are reported."""
    reportings = tx.get_execution_options().get("reportings", ())
    if not reportings or not is_reported(deployment, event):
        return
    _tell_pull_requests(tx, deployment, event, reportings, now)
    origin = origin_of(deployment) or _change_of(tx, deployment)
    where = reporting_of(origin, reportings) if origin else None
    if origin is None or where is None:
        return
    for report in reports(deployment, event, origin, where):
        outbox.put(tx, deployment.id, where.to, event, report.text, msgspec.to_builtins(report), now)


def _tell_pull_requests(
    tx: sa.Connection,
    deployment: Deployment,
    event: TriggerEvent,
    reportings: Sequence[Reporting],
    now: dt.datetime,
) -> None:
    """Of the repository whose change it was, wherever the revision is from."""
    for each in (one for one in reportings if one.pull_requests):
        if news := news_of(tx, deployment, each.repository):
            post_news(tx, deployment, event, news, each.to, now)


def _change_of(tx: sa.Connection, deployment: Deployment) -> Origin | None:
    """The commit whose manifest asked for a revision that is none itself."""
    c = t.changes.c
    row = tx.execute(sa.select(c.repository, c.commit_id).where(c.id == deployment.change_id)).first()
    return Origin(row.repository, row.commit_id) if row else None
