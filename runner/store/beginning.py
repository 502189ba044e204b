"""What begins a program: one target whose traffic moves, from Queued to its first step. `runner.store.walking` goes on."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from runner.errors import UserError
from runner.model.deployment import DeploymentStatus, ErrorInformation
from runner.model.manifest import GroupSettings
from runner.model.target import EventStatus, TargetStatus
from runner.model.value import from_json, to_json
from runner.model.work import PreparedTraffic
from runner.plan.programs import compile_program
from runner.store import reading
from runner.store import tables as t
from runner.store.acts import TrafficStock, undoing
from runner.store.ending import end_deployment
from runner.store.ledger import Ledger
from runner.store.letters import post_about_deployment


def begin(tx: sa.Connection, ledger: Ledger, row: Any, prepared: PreparedTraffic, now: dt.datetime) -> None:
    """From Queued to InProgress, or to Failed when the rollout asks for what the target cannot do."""
    settings = from_json(row.settings, GroupSettings)
    restoring = undoing(tx, row.rollback) is not None
    try:
        program = compile_program(settings, prepared.spec, prepared.state, restoring=restoring)
    except UserError as error:
        failed = ErrorInformation(code=error.code, message=error.message)
        end_deployment(tx, ledger, row.id, DeploymentStatus.FAILED, failed, now)
        return
    tx.execute(
        t.targets.insert().values(
            deployment_id=row.id,
            target=prepared.target,
            position=0,
            healthy=True,
            host="",
            state=to_json(prepared.state),
            status=TargetStatus.PENDING,
            event_status=EventStatus.PENDING,
        )
    )
    d, g = t.deployments, t.groups
    values = {
        "status": DeploymentStatus.IN_PROGRESS,
        "waiting_for": None,
        "started_at": now,
        "plan": to_json(program),
        "prepared": to_json(TrafficStock(spec=prepared.spec)),
        "pinned": to_json(prepared.pinned) if prepared.pinned else row.pinned,
        "dirty": True,
    }
    tx.execute(d.update().where(d.c.id == row.id).values(values))
    of_group = g.update().where(g.c.id == row.group_id)
    tx.execute(of_group.values(target_revision=row.revision, last_attempted=row.id))
    ledger.note(
        row.id, "deployment started", configuration=program.configuration, targets=1, platform=settings.platform
    )
    post_about_deployment(tx, reading.deployments(tx, d.c.id == row.id)[0], "DeploymentStart", now)
