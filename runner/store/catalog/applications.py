"""Applications: a row each. Groups, releases and registered revisions point at its name, tags at its ID."""

import sqlalchemy as sa

from runner.errors import ApplicationAlreadyExists, ApplicationDoesNotExist
from runner.model.application import Application, Owner
from runner.store import tables as t
from runner.store.catalog import history, rows
from runner.store.database import Database

_POINTING = (t.groups, t.releases, t.revisions, t.deployments)


class Applications:
    """Implements the port."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, name: str) -> Application:
        with self._db.read() as tx:
            row = tx.execute(sa.select(t.applications).where(t.applications.c.name == name)).first()
        if row is None:
            raise ApplicationDoesNotExist(f"No application found for name: {name}")
        return _application(row)

    def names(self, after: str | None, limit: int) -> list[str]:
        with self._db.read() as tx:
            return rows.names(tx, t.applications.c.name, after, limit)

    def count(self) -> int:
        with self._db.read() as tx:
            return tx.execute(sa.select(sa.func.count()).select_from(t.applications)).scalar_one()

    def create(self, application: Application) -> None:
        taken = ApplicationAlreadyExists(f"An application of the name {application.name} is there already")
        owner = application.owner
        with self._db.write() as tx, rows.unless_taken(tx, taken):
            tx.execute(
                t.applications.insert().values(
                    id=application.id,
                    name=application.name,
                    platform=application.platform,
                    repository=owner and owner.repository,
                    file=owner and owner.file,
                    created_at=application.created_at,
                )
            )

    def rename(self, name: str, new: str) -> None:
        c = t.applications.c
        taken = ApplicationAlreadyExists(f"An application of the name {new} is there already")
        with self._db.write() as tx:
            row = tx.execute(sa.select(t.applications).where(c.name == name)).one()
            with rows.unless_taken(tx, taken):  # others point at the name, so a new row comes before the old one goes
                tx.execute(t.applications.insert().values({**row._mapping, "name": new}))
            for table in _POINTING:
                tx.execute(table.update().where(table.c.application == name).values(application=new))
            tx.execute(t.applications.delete().where(c.name == name))

    def delete(self, name: str) -> None:
        with self._db.write() as tx:
            history.forget(tx, name)

    def unfinished(self, name: str) -> str | None:
        with self._db.read() as tx:
            return rows.unfinished(tx, t.deployments.c.application == name)


def _application(row: sa.Row[tuple[object, ...]]) -> Application:
    return Application(
        id=row.id,
        name=row.name,
        platform=row.platform,
        owner=Owner(repository=row.repository, file=row.file) if row.repository else None,
        created_at=row.created_at,
    )
