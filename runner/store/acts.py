"""What a platform is asked to do, put together from the rows of a deployment whose traffic moves."""

from typing import Any

import sqlalchemy as sa

from runner.model.deployment import DeploymentStatus, RollbackInfo
from runner.model.manifest import GroupSettings
from runner.model.program import Act, Program, TargetSpec, Task, TrafficJob
from runner.model.target import EventStatus
from runner.model.value import Value, from_json
from runner.model.work import RunAct, Undoing
from runner.store import tables as t
from runner.store.reading import state_of


class TrafficStock(Value, frozen=True, kw_only=True):
    """What a deployment was prepared with, kept in its row."""

    spec: TargetSpec


def undoing(tx: sa.Connection, rollback: str | None) -> Undoing | None:
    """What a deployment with this RollbackInfo is to undo; None where it undoes nothing, and on servers."""
    failed = from_json(rollback, RollbackInfo).rollback_triggering_deployment_id if rollback else None
    if failed is None:
        return None
    d, c = t.deployments.c, t.targets.c
    query = sa.select(d.prepared, c.state).join(t.targets, c.deployment_id == d.id).where(d.id == failed)
    row = tx.execute(query).first()
    if row is None or row.state is None:
        return None
    state = state_of(row.state)
    return Undoing(spec=from_json(row.prepared, TrafficStock).spec, state=state)


def in_flight(tx: sa.Connection) -> list[RunAct]:
    """The acts that are recorded as begun and not as ended."""
    d, c = t.deployments, t.targets.c
    query = (
        sa.select(d, c.target, c.event, c.attempt, c.state)
        .join(t.targets, c.deployment_id == d.c.id)
        .where(d.c.status == DeploymentStatus.IN_PROGRESS, c.state.is_not(None))
        .where(c.event_status == EventStatus.IN_PROGRESS)
        .order_by(d.c.number)
    )
    return [action(tx, row, row, from_json(row.plan, Program)) for row in tx.execute(query)]


def action(tx: sa.Connection, row: Any, target: Any, program: Program) -> RunAct:
    """*row*: of the deployment, at the step whose act it is. *target*: its row, or what it is about to be."""
    act = program.steps[row.step]
    assert isinstance(act, Act)
    settings = from_json(row.settings, GroupSettings)
    was = undoing(tx, row.rollback)
    job = TrafficJob(
        deployment_id=row.id,
        application=row.application,
        group=row.group_name,
        group_id=row.group_id,
        place=settings.place,
        spec=from_json(row.prepared, TrafficStock).spec,
        checks=settings.checks,
        restoring=was.state if was else None,
    )
    task = Task(job=job, target=target.target, act=act, attempt=target.attempt, state=state_of(target.state))
    return RunAct(deployment_id=row.id, target=target.target, event=target.event, attempt=target.attempt, task=task)
