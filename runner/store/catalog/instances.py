"""On-premises instances. A name has at most one registered row; those that were deregistered stay behind it."""

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa

from runner.errors import Refused
from runner.model.application import OnPremisesInstance
from runner.store import tables as t
from runner.store.catalog import rows
from runner.store.database import Database

_c = t.on_premises_instances.c
_COLUMNS = [column for column in t.on_premises_instances.c if column.name != "id"]
_IS_REGISTERED = _c.deregistered_at.is_(None)
_ARNS = (
    (_c.iam_user_arn, "IamUserArnAlreadyRegisteredException"),
    (_c.iam_session_arn, "IamSessionArnAlreadyRegisteredException"),
)


class Instances:
    """Implements the port."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, name: str) -> OnPremisesInstance | None:
        found = self._select(sa.select(*_COLUMNS).where(_c.name == name).order_by(_c.id.desc()).limit(1))
        return found[0] if found else None

    def registered(self) -> list[OnPremisesInstance]:
        return self._select(sa.select(*_COLUMNS).where(_IS_REGISTERED).order_by(_c.name))

    def arns_of(self, name: str) -> tuple[str, ...]:
        """The IAM ARN that the instance is registered with; none where it is not."""
        found = self._select(sa.select(*_COLUMNS).where(_IS_REGISTERED, _c.name == name))
        return tuple(arn for each in found for arn in (each.iam_user_arn, each.iam_session_arn) if arn)

    def page(self, registered: bool | None, after: str | None, limit: int) -> list[OnPremisesInstance]:
        newest = sa.select(sa.func.max(_c.id)).group_by(_c.name).scalar_subquery()
        query = sa.select(*_COLUMNS).where(_c.id.in_(newest)).order_by(_c.name).limit(limit)
        if after is not None:
            query = query.where(_c.name > after)
        if registered is not None:
            query = query.where(_IS_REGISTERED if registered else sa.not_(_IS_REGISTERED))
        return self._select(query)

    def register(self, instance: OnPremisesInstance) -> None:
        name = instance.name
        taken = Refused(
            "InstanceNameAlreadyRegisteredException", f"An instance of the name {name} is registered already"
        )
        with self._db.write() as tx:
            for column, code in _ARNS:
                arn = getattr(instance, column.name)
                held = sa.select(_c.name).where(_IS_REGISTERED, column == arn, _c.name != name)
                if arn and (other := tx.execute(held).scalar()):
                    raise Refused(code, f"{arn} is registered already, with the instance {other}")
            with rows.unless_taken(tx, taken):
                values = {column.name: getattr(instance, column.name) for column in _COLUMNS}
                tx.execute(t.on_premises_instances.insert().values(values))

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        with self._db.write() as tx:
            same = sa.and_(_c.name == name, _IS_REGISTERED)
            tx.execute(t.on_premises_instances.update().where(same).values(tags=dict(tags)))

    def deregister(self, name: str, now: dt.datetime) -> None:
        with self._db.write() as tx:
            same = sa.and_(_c.name == name, _IS_REGISTERED)
            tx.execute(t.on_premises_instances.update().where(same).values(deregistered_at=now))

    def _select(self, query: sa.Select[tuple[object, ...]]) -> list[OnPremisesInstance]:
        with self._db.read() as tx:
            return [OnPremisesInstance(**row) for row in tx.execute(query).mappings()]
