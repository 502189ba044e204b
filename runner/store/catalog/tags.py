"""Tags of applications, deployment groups and configurations, by their IDs."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from runner.store import tables as t
from runner.store.database import Database

_c = t.resource_tags.c


class ResourceTags:
    """Implements the port."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, resource: str) -> dict[str, str]:
        with self._db.read() as tx:
            rows = tx.execute(sa.select(_c.key, _c.value).where(_c.resource == resource).order_by(_c.key))
            return {row.key: row.value for row in rows}

    def add(self, resource: str, tags: Mapping[str, str]) -> None:
        with self._db.write() as tx:
            tx.execute(t.resource_tags.delete().where(_c.resource == resource, _c.key.in_(list(tags))))
            if tags:
                new = [{"resource": resource, "key": key, "value": value} for key, value in tags.items()]
                tx.execute(t.resource_tags.insert(), new)

    def remove(self, resource: str, keys: Sequence[str]) -> None:
        with self._db.write() as tx:
            tx.execute(t.resource_tags.delete().where(_c.resource == resource, _c.key.in_(list(keys))))
