"""The answers of requests that changed something, written in the transaction of the change: repeated, they are read."""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from runner.errors import UserError
from runner.ports.identity import Answer
from runner.store.database import Database
from runner.store.tables import answers

KEPT = dt.timedelta(minutes=15)  # three times as long as a signature is accepted
_PURGED = 100  # old answers, at most, that one new answer pays for


class Answers:
    """Implements the port of this name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def once(
        self, fingerprint: str, work: Callable[[], Answer], refused: Callable[[UserError], Answer], now: dt.datetime
    ) -> Answer:
        with self._db.write() as tx:
            if (known := _known(tx, fingerprint, now)) is not None:
                return known
            try:
                with self._db.write():  # a savepoint: what a refused request did is undone, that it was refused is not
                    answer = work()
            except UserError as error:
                answer = refused(error)
                if error.code == "ThrottlingException":
                    return answer
            _make_room(tx, fingerprint, now)
            values = {"fingerprint": fingerprint, "status": answer.status, "body": answer.body, "at": now}
            tx.execute(answers.insert().values(values))
            return answer


def _known(tx: sa.Connection, fingerprint: str, now: dt.datetime) -> Answer | None:
    c = answers.c
    row = tx.execute(sa.select(c.status, c.body).where(c.fingerprint == fingerprint, c.at > now - KEPT)).first()
    return None if row is None else Answer(row.status, row.body)


def _make_room(tx: sa.Connection, fingerprint: str, now: dt.datetime) -> None:
    """Forget what this very request was answered long ago, and some more of that age."""
    c = answers.c
    old = sa.select(c.fingerprint).where(c.at <= now - KEPT).order_by(c.at).limit(_PURGED)
    tx.execute(answers.delete().where(sa.or_(c.fingerprint == fingerprint, c.fingerprint.in_(old))))
