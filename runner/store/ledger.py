"""Appending to the journal: entries are gathered during a transaction and written in one go, each chained to the last."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from runner.model.journal import GENESIS, Entry, entry_hash
from runner.store import tables as t


class Ledger:
    """The journal entries of one transaction. `write` must be called before the transaction ends."""

    def __init__(self, tx: sa.Connection, now: dt.datetime) -> None:
        self._tx, self._now = tx, now
        self._noted: list[dict[str, Any]] = []

    def note(
        self,
        deployment_id: str,
        kind: str,
        *,
        target: str | None = None,
        lifecycle_event: str | None = None,
        attempt: int | None = None,
        **details: Any,
    ) -> None:
        """Remember one entry; *details* are shown to people and must be JSON."""
        self._noted.append(
            {
                "deployment_id": deployment_id,
                "at": self._now,
                "kind": kind,
                "target": target,
                "lifecycle_event": lifecycle_event,
                "attempt": attempt,
                "details": {key: value for key, value in details.items() if value is not None},
            }
        )

    def write(self) -> None:
        """Append everything noted, in order, and move each deployment's head."""
        if not self._noted:
            return
        heads = self._heads({noted["deployment_id"] for noted in self._noted})
        for noted in self._noted:
            sequence, previous = heads[noted["deployment_id"]]
            noted |= {"sequence": sequence + 1, "previous_hash": previous}
            noted["hash"] = entry_hash(Entry(id=0, **noted))
            heads[noted["deployment_id"]] = (noted["sequence"], noted["hash"])
        self._tx.execute(t.journal.insert(), self._noted)
        self._tx.execute(
            t.deployments.update()
            .where(t.deployments.c.id == sa.bindparam("of"))
            .values(sequence=sa.bindparam("last"), hash=sa.bindparam("head")),
            [{"of": of, "last": last, "head": head} for of, (last, head) in heads.items()],
        )
        self._noted = []

    def _heads(self, ids: set[str]) -> dict[str, tuple[int, str]]:
        d = t.deployments.c
        rows = self._tx.execute(sa.select(d.id, d.sequence, d.hash).where(d.id.in_(ids)))
        return {row.id: (row.sequence, row.hash or GENESIS) for row in rows}
