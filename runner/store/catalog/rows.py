"""What the files of this room share: new rows that must be the only ones, and who is deployed to."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import exc

from runner.errors import UserError
from runner.model.deployment import UNFINISHED
from runner.store import tables as t


@contextmanager
def unless_taken(tx: sa.Connection, refusal: UserError) -> Iterator[None]:
    """Raise *refusal* when a constraint says that such a row is there already."""
    try:
        with tx.begin_nested():
            yield
    except exc.IntegrityError:
        raise refusal from None


def unfinished(tx: sa.Connection, where: sa.ColumnElement[bool]) -> str | None:
    """The ID of one deployment that has not ended."""
    d = t.deployments.c
    return tx.execute(sa.select(d.id).where(where, d.status.in_(UNFINISHED)).order_by(d.number).limit(1)).scalar()


def names(
    tx: sa.Connection, column: sa.Column[str], after: str | None, limit: int, *where: sa.ColumnElement[bool]
) -> list[str]:
    """A page of names, in their order."""
    behind = [] if after is None else [column > after]
    return list(tx.execute(sa.select(column).where(*where, *behind).order_by(column).limit(limit)).scalars())
