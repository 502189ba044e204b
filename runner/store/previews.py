"""What was told of which pull request, so that it is told anew only when something has moved; and how that goes."""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from runner.model.status import PullRequestsState
from runner.ports.pull_requests import Told
from runner.store.database import Database
from runner.store.tables import preview_failures, previews

_C, _F = previews.c, preview_failures.c


class StoredPreviews:
    """Implements port `PreviewStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def told(self, repository: str) -> dict[int, Told]:
        query = sa.select(_C.number, _C.head, _C.base, _C.said).where(_C.repository == repository)
        with self._db.read() as tx:
            return {row.number: Told(row.head, row.base, row.said) for row in tx.execute(query)}

    def tell(self, repository: str, number: int, told: Told, now: dt.datetime) -> None:
        row = insert(previews).values(repository=repository, number=number, told_at=now, **told._asdict())
        newer = {name: row.excluded[name] for name in (*Told._fields, "told_at")}
        with self._db.write() as tx:
            tx.execute(row.on_conflict_do_update(index_elements=[_C.repository, _C.number], set_=newer))

    def keep(self, repository: str, numbers: Collection[int]) -> None:
        gone = sorted(self.told(repository).keys() - set(numbers))
        if gone:
            with self._db.write() as tx:
                tx.execute(previews.delete().where(_C.repository == repository, _C.number.in_(gone)))

    def failed(self, repository: str, error: str, untold: int, now: dt.datetime) -> None:
        values = {"failed_at": now, "untold": untold, "error": error}
        row = insert(preview_failures).values(repository=repository, failures=1, **values)
        newer = {**values, "failures": _F.failures + 1}
        with self._db.write() as tx:
            tx.execute(row.on_conflict_do_update(index_elements=[_F.repository], set_=newer))

    def succeeded(self, repository: str) -> None:
        with self._db.read() as tx:
            if tx.execute(sa.select(_F.failures).where(_F.repository == repository)).first() is None:
                return
        with self._db.write() as tx:
            tx.execute(preview_failures.delete().where(_F.repository == repository))


def states(tx: sa.Connection) -> list[PullRequestsState]:
    """Of repositories where it failed the last time, by name."""
    rows = tx.execute(sa.select(preview_failures).order_by(_F.repository))
    return [PullRequestsState(**row._mapping) for row in rows]
