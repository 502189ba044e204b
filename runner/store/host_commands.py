"""Commands for agents, and when each agent was last heard of."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from runner.model.command import Outcome
from runner.model.deployment import ACTIVE
from runner.model.host_command import AgentContact, CommandKey, HostCommand
from runner.model.value import from_json, to_json
from runner.store.database import Database
from runner.store.tables import agents, deployments, host_commands, in_text

_UNDER_WAY = ACTIVE
_AT_ONCE = 200  # rows asked for by name, below the limit of parameters of one statement
_OPEN = ("Pending", "InProgress")


# Made once: to make one takes longer than to run it.
_COUNT = "SELECT count(*) FROM host_commands WHERE deployment_id = ? AND target = ? AND event = ? AND attempt = ?"
_FIND = sa.select(host_commands).where(
    sa.tuple_(*host_commands.primary_key).in_(sa.bindparam("keys", expanding=True)),
)
_KEEP_COMMAND = """
INSERT INTO host_commands (
    deployment_id, target, event, attempt,
    status, handed_out, acknowledged, queued_at, handed_out_at, acknowledged_at, completed_at, outcome
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (deployment_id, target, event, attempt) DO UPDATE
SET status = excluded.status, handed_out = excluded.handed_out, acknowledged = excluded.acknowledged,
    queued_at = excluded.queued_at, handed_out_at = excluded.handed_out_at,
    acknowledged_at = excluded.acknowledged_at, completed_at = excluded.completed_at, outcome = excluded.outcome
"""
"""As text, given to the driver as it is, as is the next: SQLAlchemy takes twice SQLite's time, and a host waits for it."""
_KEEP_CONTACT = """
INSERT INTO agents (host, last_contact_at, version, identifier) VALUES (?, ?, ?, ?)
ON CONFLICT (host) DO UPDATE
SET last_contact_at = excluded.last_contact_at, version = excluded.version, identifier = excluded.identifier
WHERE last_contact_at < excluded.last_contact_at
"""
"""There are as many contacts as polls."""


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

    def knows(self, key: CommandKey) -> bool:
        return self._db.number(_COUNT, *key) > 0

    def find(self, keys: Sequence[CommandKey]) -> dict[CommandKey, HostCommand]:
        found = []
        with self._db.read() as tx:
            for start in range(0, len(keys), _AT_ONCE):
                some = {"keys": keys[start : start + _AT_ONCE]}
                found += [_command(row) for row in tx.execute(_FIND, some)]
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
                tx.exec_driver_sql(_KEEP_COMMAND, [_row(command) for command in commands])
            if contacts:
                tx.exec_driver_sql(_KEEP_CONTACT, [_contact_row(contact) for contact in contacts])

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


def _command(row: Any) -> HostCommand:
    fields = dict(row._mapping)
    fields["host"] = fields.pop("target")
    if fields["outcome"] is not None:
        fields["outcome"] = from_json(fields["outcome"], Outcome)
    return HostCommand(**fields)


def _row(command: HostCommand) -> tuple[Any, ...]:
    return (
        command.deployment_id,
        command.host,
        command.event,
        command.attempt,
        command.status,
        command.handed_out,
        command.acknowledged,
        in_text(command.queued_at),
        _in_text(command.handed_out_at),
        _in_text(command.acknowledged_at),
        _in_text(command.completed_at),
        to_json(command.outcome) if command.outcome else None,
    )


def _in_text(time: dt.datetime | None) -> str | None:
    return None if time is None else in_text(time)


def _contact_row(contact: AgentContact) -> tuple[str, str, str, str]:
    return (contact.host, in_text(contact.at), contact.version[:100], contact.identifier[:512])
