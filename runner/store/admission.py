"""Whose turn it is in a deployment group, as rows: gathers what `plan.admission` needs and records its verdict."""

import datetime as dt

import sqlalchemy as sa

from runner.model.deployment import ACTIVE, BESIDE, DeploymentStatus
from runner.model.manifest import GroupSettings
from runner.model.value import from_json, to_json
from runner.plan.admission import Predecessor, Waiting, admit
from runner.store import tables as t
from runner.store.ending import end_deployment, last_successful_revision
from runner.store.ledger import Ledger

CREATED, QUEUED = DeploymentStatus.CREATED, DeploymentStatus.QUEUED


def admit_next(tx: sa.Connection, ledger: Ledger, group_id: str, now: dt.datetime) -> str | None:
    """Judge all deployments of the group that wait. Returns the ID of the one that now is Queued, if any."""
    d = t.deployments
    rows = tx.execute(sa.select(d).where(d.c.group_id == group_id, d.c.status == CREATED).order_by(d.c.number)).all()
    verdict = admit([_waiting(tx, row) for row in rows], _active(tx, group_id), now)
    for ended, error in verdict.ended.items():
        end_deployment(tx, ledger, ended, DeploymentStatus.STOPPED, error, now)
    for waits, (reason, until) in verdict.waits.items():
        _keep_waiting(tx, ledger, waits, reason, until)
    if verdict.start is None:
        return None
    previous = last_successful_revision(tx, group_id)
    tx.execute(
        d.update()
        .where(d.c.id == verdict.start)
        .values(
            status=QUEUED,
            waiting_for=None,
            waiting_until=None,
            wake_at=None,
            continue_requested=False,
            previous_revision=to_json(previous) if previous else None,
            dirty=True,
        )
    )
    ledger.note(verdict.start, "deployment queued")
    return verdict.start


def _active(tx: sa.Connection, group_id: str) -> str | None:
    c = t.deployments.c
    active = (c.group_id == group_id) & c.status.in_(ACTIVE) & c.creator.not_in(BESIDE)
    return tx.execute(sa.select(c.id).where(active)).scalar_one_or_none()


def _keep_waiting(tx: sa.Connection, ledger: Ledger, waits: str, reason: str, until: dt.datetime | None) -> None:
    d = t.deployments
    news = tx.execute(
        d.update().where(d.c.id == waits, d.c.waiting_for.is_distinct_from(reason)).values(waiting_for=reason)
    ).rowcount
    tx.execute(d.update().where(d.c.id == waits).values(waiting_until=until, wake_at=until, dirty=False))
    if news:
        ledger.note(waits, "deployment waiting", reason=f"waits for {reason}", until=until and until.isoformat())


def _waiting(tx: sa.Connection, row: sa.Row[tuple[object, ...]]) -> Waiting:
    settings = from_json(row.settings, GroupSettings)
    return Waiting(
        id=row.id,
        predecessor=_predecessor(tx, row, settings) if settings.after else None,
        stop_requested=row.stop_requested,
        continue_requested=row.continue_requested,
    )


def _predecessor(tx: sa.Connection, row: sa.Row[tuple[object, ...]], settings: GroupSettings) -> Predecessor | None:
    """The deployment of the same release in the group before; its bake is cut short by whatever replaced it there."""
    assert settings.after is not None
    c = t.deployments.c
    same = (c.release_id == row.release_id) & (c.group_name == settings.after.group)
    before = tx.execute(sa.select(c.id, c.group_id, c.status, c.completed_at).where(same)).first()
    if before is None:
        return None
    succeeded = before.status == DeploymentStatus.SUCCEEDED
    good = tx.execute(sa.select(t.groups.c.last_successful).where(t.groups.c.id == before.group_id)).scalar_one()
    if succeeded and good is None:  # the first one that the group ever had, and it was undone
        back = sa.select(c.id).where(c.group_id == before.group_id, c.status == DeploymentStatus.SUCCEEDED)
        good = tx.execute(back.order_by(c.number.desc()).limit(1)).scalar_one()
    return Predecessor(
        id=before.id,
        group=settings.after.group,
        status=DeploymentStatus(before.status),
        completed_at=before.completed_at,
        bake=settings.after.bake,
        replaced_by=good if succeeded and good != before.id else None,
    )
