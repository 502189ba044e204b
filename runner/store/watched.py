"""What alarms and checks are looked at for, and that one of them failed."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from runner.model.checks import Check
from runner.model.deployment import ACTIVE, ErrorInformation
from runner.model.manifest import GroupSettings
from runner.model.program import Program
from runner.model.value import from_json, to_json
from runner.plan.batches import Hold, RolloutPlan
from runner.ports.checks import Watched
from runner.store import tables as t
from runner.store.database import Database
from runner.store.ledger import Ledger

_D = t.deployments.c
_STOPPABLE = sa.and_(_D.status.in_(ACTIVE), _D.alarm.is_(None), _D.stop_requested.is_(False))
# Most deployments have neither, and their settings need not be read: what has its default is not in the JSON.
_MAY_FAIL = sa.or_(_D.settings.contains('"alarms":{'), _D.settings.contains('"checks":{'))
_QUERY = (
    sa.select(_D.id, _D.settings, _D.plan, _D.step)
    .where(_STOPPABLE, _MAY_FAIL, _D.creator != "codeDeployRollback")
    .order_by(_D.number)
)


class WatchedDeployments:
    """Implements port `WatchStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def watched(self) -> list[Watched]:
        with self._db.read() as tx:
            found = [_watched(row) for row in tx.execute(_QUERY)]
        return [each for each in found if each.alarms or each.checks]

    def failed(self, deployment_id: str, error: ErrorInformation, now: dt.datetime, *, step: int | None = None) -> bool:
        there = [_D.id == deployment_id, _STOPPABLE, *([] if step is None else [_D.step == step])]
        with self._db.write() as tx:
            changed = tx.execute(t.deployments.update().where(*there).values(alarm=to_json(error), dirty=True))
            if not changed.rowcount:
                return False
            ledger = Ledger(tx, now)
            ledger.note(deployment_id, _KINDS.get(error.code, "check failed"), code=error.code, message=error.message)
            ledger.write()
        return True


_KINDS = {"ALARM_ACTIVE": "alarm raised"}


def _watched(row: Any) -> Watched:
    settings = from_json(row.settings, GroupSettings)
    named = _names(settings, row) if settings.checks and row.plan else ()
    checks: dict[str, Check] = {name: settings.checks[name] for name in named if name in settings.checks}
    return Watched(deployment_id=row.id, place=settings.place, alarms=settings.alarms, checks=checks, step=row.step)


def _names(settings: GroupSettings, row: Any) -> Iterable[str]:
    """The checks of the step that is under way. An act `Check` runs its own."""
    if settings.green is not None:
        return ()  # alarms alone
    if settings.platform == "Server":
        steps = from_json(row.plan, RolloutPlan).steps
        step = steps[row.step] if row.step < len(steps) else None
        return step.checks if isinstance(step, Hold) else ()
    program = from_json(row.plan, Program).steps
    if row.step >= len(program):
        return ()
    current = program[row.step]
    return () if getattr(current, "event", "") == "Check" else current.checks
