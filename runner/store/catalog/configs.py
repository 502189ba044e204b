"""Deployment configurations: those made through the wire API are rows, the predefined ones come from the program."""

import heapq
from typing import Any

import sqlalchemy as sa

from runner.errors import Refused
from runner.model.application import DeploymentConfig
from runner.model.rollout import MinimumHealthyHosts
from runner.model.value import from_json, to_json
from runner.render.deployment_configs import predefined_configs
from runner.store import tables as t
from runner.store.catalog import rows
from runner.store.database import Database

_c = t.deployment_configs.c


class Configs:
    """Implements the port."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, name: str) -> DeploymentConfig:
        if name in predefined_configs():
            return predefined_configs()[name]
        with self._db.read() as tx:
            row = tx.execute(sa.select(t.deployment_configs).where(_c.name == name)).first()
        if row is None:
            raise Refused(
                "DeploymentConfigDoesNotExistException", f"No deployment configuration found for name: {name}"
            )
        return _config(row)

    def names(self, after: str | None, limit: int) -> list[str]:
        with self._db.read() as tx:
            made = rows.names(tx, _c.name, after, limit)
        shipped = sorted(name for name in predefined_configs() if after is None or name > after)
        return list(heapq.merge(made, shipped))[:limit]

    def count(self) -> int:
        with self._db.read() as tx:
            return tx.execute(sa.select(sa.func.count()).select_from(t.deployment_configs)).scalar_one()

    def create(self, config: DeploymentConfig) -> None:
        words = f"A deployment configuration of the name {config.name} is there already"
        taken = Refused("DeploymentConfigAlreadyExistsException", words)
        with self._db.write() as tx, rows.unless_taken(tx, taken):
            tx.execute(
                t.deployment_configs.insert().values(
                    id=config.id,
                    name=config.name,
                    platform=config.platform,
                    minimum_healthy=to_json(config.minimum_healthy) if config.minimum_healthy else None,
                    traffic=config.traffic,
                    zonal=config.zonal,
                    created_at=config.created_at,
                )
            )

    def delete(self, name: str) -> None:
        with self._db.write() as tx:
            config_id = tx.execute(sa.select(_c.id).where(_c.name == name)).scalar()
            tx.execute(t.resource_tags.delete().where(t.resource_tags.c.resource == f"deploymentconfig/{config_id}"))
            tx.execute(t.deployment_configs.delete().where(_c.name == name))

    def used_by(self, name: str) -> str | None:
        g, a = t.groups.c, t.applications.c
        rollout = sa.type_coerce(g.settings, sa.JSON)["rollout"]["name"].as_string()
        query = sa.select(g.application, g.name).join(t.applications, a.name == g.application)
        with self._db.read() as tx:
            row = tx.execute(query.where(a.repository.is_(None), g.deleted_at.is_(None), rollout == name)).first()
        return f"{row.application}/{row.name}" if row else None


def _config(row: Any) -> DeploymentConfig:
    return DeploymentConfig(
        id=row.id,
        name=row.name,
        platform=row.platform,
        minimum_healthy=from_json(row.minimum_healthy, MinimumHealthyHosts) if row.minimum_healthy else None,
        traffic=row.traffic,
        zonal=row.zonal,
        created_at=row.created_at,
    )
