"""Processes of Auto Scaling groups that are suspended for a deployment: recorded first, and forgotten last."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from runner.model.aws import AwsPlace
from runner.model.deployment import UNFINISHED
from runner.model.ec2 import Process
from runner.model.value import from_json, to_json
from runner.ports.suspensions import Suspension
from runner.store import tables as t
from runner.store.database import Database
from runner.store.ledger import Ledger

_C, _D = t.suspensions.c, t.deployments.c
_OPEN = _C.resumed_at.is_(None)
_WITH_DEPLOYMENTS = t.suspensions.outerjoin(t.deployments, _D.id == _C.deployment_id)
_ENDED = sa.or_(_D.id.is_(None), _D.status.not_in(UNFINISHED))  # or deleted with its application
_OVER = sa.select(t.suspensions).select_from(_WITH_DEPLOYMENTS).where(_OPEN, _ENDED)


class Suspensions:
    """Implements port `SuspensionStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(
        self,
        deployment_id: str,
        place: AwsPlace,
        group: str,
        choose: Callable[[frozenset[Process]], tuple[Process, ...]],
        now: dt.datetime,
    ) -> Suspension | None:
        own = sa.and_(_C.deployment_id == deployment_id, _C.auto_scaling_group == group)
        with self._db.write() as tx:
            if row := tx.execute(sa.select(t.suspensions).where(own)).first():
                return None if row.resumed_at else _suspension(row)
            processes = choose(_needed(tx, place, group))
            made = Suspension(deployment_id=deployment_id, place=place, group=group, processes=processes)
            if not processes:
                return made
            tx.execute(t.suspensions.insert().values(**_columns(made), begun_at=now))
            _note(tx, made, "processes suspended", now)
        return made

    def over(self) -> list[tuple[Suspension, tuple[Process, ...]]]:
        with self._db.read() as tx:
            found = [_suspension(row) for row in tx.execute(_OVER.order_by(_C.begun_at))]
            return [(each, _to_resume(tx, each)) for each in found]

    def resumed(self, suspension: Suspension, now: dt.datetime, *, gone: bool = False) -> None:
        with self._db.write() as tx:
            tx.execute(t.suspensions.update().where(_is(suspension), _OPEN).values(resumed_at=now))
            _note(tx, suspension, "processes resumed", now, message="the group is not there any more" if gone else None)

    def not_resumed(self, suspension: Suspension, why: str, now: dt.datetime) -> None:
        with self._db.write() as tx:
            _note(tx, suspension, "processes not resumed", now, message=why)


def _to_resume(tx: sa.Connection, suspension: Suspension) -> tuple[Process, ...]:
    others = _needed(tx, suspension.place, suspension.group, sa.not_(_ENDED))
    return tuple(each for each in suspension.processes if each not in others)


def _needed(tx: sa.Connection, place: AwsPlace, group: str, *of: sa.ColumnElement[bool]) -> frozenset[Process]:
    """What is suspended in *group* for deployments; *of*: only for those."""
    query = sa.select(_C.processes).select_from(_WITH_DEPLOYMENTS)
    there = (_OPEN, _C.auto_scaling_group == group, _C.place == to_json(place), *of)
    texts = tx.execute(query.where(*there)).scalars()
    return frozenset(process for text in texts for process in from_json(text, tuple[Process, ...]))


def _is(suspension: Suspension) -> sa.ColumnElement[bool]:
    return sa.and_(_C.deployment_id == suspension.deployment_id, _C.auto_scaling_group == suspension.group)


def _columns(suspension: Suspension) -> dict[str, Any]:
    return {
        "deployment_id": suspension.deployment_id,
        "auto_scaling_group": suspension.group,
        "place": to_json(suspension.place),
        "processes": to_json(suspension.processes),
    }


def _suspension(row: Any) -> Suspension:
    return Suspension(
        deployment_id=row.deployment_id,
        place=from_json(row.place, AwsPlace),
        group=row.auto_scaling_group,
        processes=from_json(row.processes, tuple[Process, ...]),
    )


def _note(tx: sa.Connection, suspension: Suspension, kind: str, now: dt.datetime, message: str | None = None) -> None:
    if not tx.execute(sa.select(_D.id).where(_D.id == suspension.deployment_id)).first():
        return
    ledger = Ledger(tx, now)
    processes = list(suspension.processes)
    ledger.note(suspension.deployment_id, kind, group=suspension.group, processes=processes, message=message)
    ledger.write()
