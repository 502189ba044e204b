"""Commands for agents, and when each agent was last heard of."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from runner.model.command import Outcome
from runner.model.deployment import DeploymentStatus
from runner.model.host_command import AgentContact, CommandKey, HostCommand
from runner.model.value import from_json, to_json
from runner.store.database import Database
from runner.store.tables import agents, deployments, host_commands

_UNDER_WAY = (DeploymentStatus.QUEUED, DeploymentStatus.IN_PROGRESS)
_AT_ONCE = 200  # rows asked for by name, below the limit of parameters of one statement
_OPEN = ("Pending", "InProgress")


class HostCommands:
    """Implements port `HostCommandStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def unfinished(self) -> list[HostCommand]:
        c, d = host_commands.c, deployments.c
        query = (
            sa.select(host_commands)
            .join(deployments, d.id == c.deployment_id)
            .where(c.status.in_(_OPEN), d.status.in_(_UNDER_WAY))
            .order_by(c.queued_at)
        )
        with self._db.read() as tx:
            return [_command(row) for row in tx.execute(query)]

    def find(self, keys: Sequence[CommandKey]) -> dict[CommandKey, HostCommand]:
        c = host_commands.c
        key = sa.tuple_(c.deployment_id, c.target, c.event, c.attempt)
        found = []
        with self._db.read() as tx:
            for start in range(0, len(keys), _AT_ONCE):
                some = key.in_(keys[start : start + _AT_ONCE])
                found += [_command(row) for row in tx.execute(sa.select(host_commands).where(some))]
        return {command.key: command for command in found}

    def stopping(self, deployment_ids: Collection[str]) -> set[str]:
        d = deployments.c
        wanted = sa.and_(d.stop_requested, d.status.in_(_UNDER_WAY))
        with self._db.read() as tx:
            found = tx.execute(sa.select(d.id).where(wanted)).scalars()
            return {each for each in found if each in deployment_ids}

    def save(self, commands: Sequence[HostCommand], contacts: Sequence[AgentContact]) -> None:
        with self._db.write() as tx:
            if commands:
                _replace(tx, host_commands, [_row(command) for command in commands])
            if contacts:
                _keep(tx, contacts)

    def contacts(self) -> list[AgentContact]:
        c = agents.c
        query = sa.select(c.host, c.last_contact_at.label("at"), c.version, c.identifier).order_by(c.host)
        with self._db.read() as tx:
            return [AgentContact(**row._mapping) for row in tx.execute(query)]

    def deployments_of(self, host: str, limit: int) -> list[str]:
        c, d = host_commands.c, deployments.c
        over = sa.case((d.status.in_(_UNDER_WAY), 0), else_=1)
        had = sa.select(c.deployment_id).where(c.target == host)
        query = sa.select(d.id).where(d.id.in_(had)).order_by(over, d.number.desc()).limit(limit)
        with self._db.read() as tx:
            return list(tx.execute(query).scalars())


def _replace(tx: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Write *rows* in place of those with the same primary key."""
    same = sa.and_(*(column == sa.bindparam(f"of_{column.name}") for column in table.primary_key))
    keys = [{f"of_{column.name}": row[column.name] for column in table.primary_key} for row in rows]
    tx.execute(table.delete().where(same), keys)
    tx.execute(table.insert(), rows)


def _keep(tx: sa.Connection, contacts: Sequence[AgentContact]) -> None:
    names = [contact.host for contact in contacts]
    known: dict[str, Any] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = agents.c.host.in_(names[start : start + _AT_ONCE])
        known |= {row.host: row.last_contact_at for row in tx.execute(sa.select(agents).where(some))}
    later = [each for each in contacts if each.host not in known or known[each.host] < each.at]
    rows = [
        {
            "host": each.host,
            "last_contact_at": each.at,
            "version": each.version[:100],
            "identifier": each.identifier[:512],
        }
        for each in later
    ]
    if rows:
        _replace(tx, agents, rows)


def _command(row: Any) -> HostCommand:
    fields = dict(row._mapping)
    fields["host"] = fields.pop("target")
    if fields["outcome"] is not None:
        fields["outcome"] = from_json(fields["outcome"], Outcome)
    return HostCommand(**fields)


def _row(command: HostCommand) -> dict[str, Any]:
    return {
        "deployment_id": command.deployment_id,
        "target": command.host,
        "event": command.event,
        "attempt": command.attempt,
        "status": command.status,
        "handed_out": command.handed_out,
        "acknowledged": command.acknowledged,
        "queued_at": command.queued_at,
        "handed_out_at": command.handed_out_at,
        "acknowledged_at": command.acknowledged_at,
        "completed_at": command.completed_at,
        "outcome": to_json(command.outcome) if command.outcome else None,
    }
