"""The wire API: what is made through it, access keys, and commands for agents."""

import uuid

import sqlalchemy as sa
from alembic import op

from runner.store.tables import applications, deployments, groups, metadata

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)  # those of its tables that are not there
    for column in (applications.c.id, groups.c.deleted_at, deployments.c.pinned):
        known = {each["name"] for each in sa.inspect(connection).get_columns(column.table.name)}
        if column.name not in known:
            op.add_column(column.table.name, sa.Column(column.name, column.type, nullable=True))
    _give_ids(connection)


def _give_ids(connection: sa.Connection) -> None:
    c = applications.c
    without = sa.select(c.name).where(sa.or_(c.id.is_(None), c.id == ""))
    for name in connection.execute(without).scalars().all():
        connection.execute(applications.update().where(c.name == name).values(id=str(uuid.uuid4())))
