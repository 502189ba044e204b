"""Deployment groups. A deleted one stays as a tombstone, since its deployments point at it; nothing here shows it."""

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa

from runner.errors import DeploymentGroupDoesNotExist, Refused
from runner.model.application import Group, Owner
from runner.model.deployment import UNFINISHED, DeploymentStatus
from runner.model.lifecycle_actions import LifecycleHook
from runner.model.manifest import GroupSettings
from runner.model.platform import ComputePlatform
from runner.model.value import from_json, to_json
from runner.ports.catalog import Attempt
from runner.store import reading
from runner.store import tables as t
from runner.store.catalog import rows
from runner.store.database import Database

_c = t.groups.c


class Groups:
    """Implements the port."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, application: str, name: str) -> Group:
        found = self._select(_c.application == application, _c.name == name)
        if not found:
            raise DeploymentGroupDoesNotExist(f"No Deployment Group found for name: {name}")
        return found[0]

    def of_platform(self, platform: ComputePlatform) -> list[Group]:
        return self._select(t.applications.c.platform == platform)

    def names(self, application: str, after: str | None, limit: int) -> list[str]:
        with self._db.read() as tx:
            return rows.names(tx, _c.name, after, limit, _c.application == application, _c.deleted_at.is_(None))

    def count(self, application: str) -> int:
        alive = sa.select(sa.func.count()).where(_c.application == application, _c.deleted_at.is_(None))
        with self._db.read() as tx:
            return tx.execute(alive).scalar_one()

    def create(self, group: Group) -> None:
        with self._db.write() as tx, rows.unless_taken(tx, _taken(group.name)):
            tx.execute(
                t.groups.insert().values(
                    id=group.id,
                    application=group.application,
                    name=group.name,
                    settings=to_json(group.settings),
                    created_at=group.created_at,
                )
            )

    def update(self, group: Group, settings: GroupSettings) -> None:
        values = {"name": settings.name, "settings": to_json(settings)}
        with self._db.write() as tx:
            with rows.unless_taken(tx, _taken(settings.name)):
                tx.execute(t.groups.update().where(_c.id == group.id).values(values))
            if settings.name != group.name:
                _rename_in_deployments(tx, group.id, settings.name)

    def delete(self, group: Group, now: dt.datetime) -> None:
        with self._db.write() as tx:
            tx.execute(t.groups.update().where(_c.id == group.id).values(name=f"~{group.id}", deleted_at=now))
            tx.execute(t.instance_health.delete().where(t.instance_health.c.group_id == group.id))
            tx.execute(t.resource_tags.delete().where(t.resource_tags.c.resource == f"deploymentgroup/{group.id}"))

    def unfinished(self, group: Group) -> str | None:
        with self._db.read() as tx:
            return rows.unfinished(tx, t.deployments.c.group_id == group.id)

    def hooks(self, *group_ids: str) -> dict[str, list[LifecycleHook]]:
        h, found = t.lifecycle_hooks, dict[str, list[LifecycleHook]]()
        with self._db.read() as tx:
            for row in tx.execute(sa.select(h).where(h.c.group_id.in_(group_ids)).order_by(h.c.name)):
                found.setdefault(row.group_id, []).append(reading.lifecycle_hook(row))
        return found

    def attempts(self, *deployment_ids: str | None) -> dict[str, Attempt]:
        d = t.deployments.c
        query = sa.select(d.id, d.status, d.created_at, d.completed_at)
        with self._db.read() as tx:
            found = tx.execute(query.where(d.id.in_([each for each in deployment_ids if each])))
            return {row.id: Attempt(row.id, DeploymentStatus(row.status), *row[2:]) for row in found}

    def _select(self, *where: sa.ColumnElement[bool]) -> list[Group]:
        a = t.applications.c
        query = sa.select(t.groups, a.platform, a.repository, a.file).join(t.applications, a.name == _c.application)
        with self._db.read() as tx:
            return [_group(row) for row in tx.execute(query.where(_c.deleted_at.is_(None), *where))]


def _rename_in_deployments(tx: sa.Connection, group_id: str, name: str) -> None:
    """History keeps to the group; a deployment under way finds it by the name in its own settings when it rolls back."""
    d = t.deployments
    same = d.c.group_id == group_id
    tx.execute(d.update().where(same).values(group_name=name))
    for row in tx.execute(sa.select(d.c.id, d.c.settings).where(same, d.c.status.in_(UNFINISHED))).all():
        settings = msgspec.structs.replace(from_json(row.settings, GroupSettings), name=name)
        tx.execute(d.update().where(d.c.id == row.id).values(settings=to_json(settings)))


def _taken(name: str) -> Refused:
    return Refused("DeploymentGroupAlreadyExistsException", f"A deployment group of the name {name} is there already")


def _group(row: Any) -> Group:
    return Group(
        id=row.id,
        application=row.application,
        settings=from_json(row.settings, GroupSettings),
        platform=row.platform,
        owner=Owner(repository=row.repository, file=row.file) if row.repository else None,
        target_revision=reading.revision(row.target_revision),
        last_attempted=row.last_attempted,
        last_successful=row.last_successful,
        created_at=row.created_at,
    )
