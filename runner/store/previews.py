"""What was told of which pull request: so that it is told anew only when something has moved."""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from runner.ports.pull_requests import Told
from runner.store.database import Database
from runner.store.tables import previews

_C = previews.c


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
