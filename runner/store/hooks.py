"""Runs of lifecycle event hooks: begun once, invoked at most once, ended once."""

import datetime as dt
import secrets
from collections.abc import Collection
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from runner.errors import Refused
from runner.model.deployment import DeploymentStatus
from runner.ports.hooks import HookExecution, HookKey
from runner.store.database import Database
from runner.store.tables import deployments, hook_executions

_SECRET = 32  # bytes of chance in an ID: it is all that a hook function must know to end its event
_AT_ONCE = 200  # rows asked for by name, below the limit of parameters of one statement

# Made once: to make one takes longer than to run it, and this one runs five times a second.
_LOOK = sa.select(hook_executions).where(hook_executions.c.id.in_(sa.bindparam("ids", expanding=True)))


class Hooks:
    """Implements port `HookStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(self, key: HookKey, now: dt.datetime) -> HookExecution:
        values = {**_columns(key), "id": secrets.token_urlsafe(_SECRET), "status": "InProgress", "begun_at": now}
        c = hook_executions.c
        same = sa.tuple_(c.deployment_id, c.target, c.event, c.attempt) == sa.tuple_(*key)
        with self._db.write() as tx:
            tx.execute(insert(hook_executions).values(values).on_conflict_do_nothing())
            return _execution(tx.execute(sa.select(hook_executions).where(same)).one())

    def mark_invoked(self, execution_id: str, now: dt.datetime) -> bool:
        c = hook_executions.c
        waits = (c.id == execution_id) & c.invoked_at.is_(None) & (c.status == "InProgress")
        with self._db.write() as tx:
            return tx.execute(hook_executions.update().where(waits).values(invoked_at=now)).rowcount == 1

    def look(self, execution_ids: Collection[str]) -> dict[str, HookExecution]:
        ids, found = list(execution_ids), []
        with self._db.read() as tx:
            for start in range(0, len(ids), _AT_ONCE):
                rows = tx.execute(_LOOK, {"ids": ids[start : start + _AT_ONCE]})
                found += [_execution(row) for row in rows]
        return {execution.id: execution for execution in found}

    def give_up(self, execution_id: str, now: dt.datetime) -> HookExecution:
        with self._db.write() as tx:
            _end(tx, execution_id, "GivenUp", now)
            return _execution(tx.execute(_LOOK, {"ids": [execution_id]}).one())

    def answer(
        self, deployment_id: str, execution_id: str, status: Literal["Succeeded", "Failed"], now: dt.datetime
    ) -> None:
        c, d = hook_executions.c, deployments.c
        query = (
            sa.select(c.event, c.status, d.status.label("of_deployment"))
            .join(deployments, d.id == c.deployment_id)
            .where(c.id == execution_id, c.deployment_id == deployment_id)
        )
        with self._db.write() as tx:
            found = tx.execute(query).first()
            if found is None:
                raise Refused(
                    "InvalidLifecycleEventHookExecutionIdException",
                    f"{deployment_id} has no hook execution of this ID; send back the LifecycleEventHookExecutionId that "
                    "the function was invoked with, unchanged",
                )
            if found.status != "InProgress" or DeploymentStatus(found.of_deployment).is_terminal:
                raise Refused("LifecycleEventAlreadyCompletedException", _over(deployment_id, found))
            _end(tx, execution_id, status, now)


def _over(deployment_id: str, found: Any) -> str:
    if found.status in ("Succeeded", "Failed"):
        return f"the hook of {found.event} has answered already: {found.status}; the first answer counts"
    return f"nobody waits for the hook of {found.event} any more; `penstock show {deployment_id}` tells why"


def _end(tx: sa.Connection, execution_id: str, status: str, now: dt.datetime) -> None:
    c = hook_executions.c
    goes_on = (c.id == execution_id) & (c.status == "InProgress")
    tx.execute(hook_executions.update().where(goes_on).values(status=status, ended_at=now))


def _columns(key: HookKey) -> dict[str, Any]:
    return dict(zip(("deployment_id", "target", "event", "attempt"), key, strict=True))


def _execution(row: Any) -> HookExecution:
    key = (row.deployment_id, row.target, row.event, row.attempt)
    return HookExecution(row.id, key, row.status, row.invoked_at, row.ended_at)
