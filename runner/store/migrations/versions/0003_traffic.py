"""Deployments whose traffic moves: the status Ready, alarms, states of targets, hooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateTable

from runner.store.tables import deployments, groups, metadata, targets

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)  # those of its tables that are not there
    d = deployments.c
    for column in (d.wait, d.alarm, d.act, d.batch, targets.c.state, targets.c.label, groups.c.live):
        known = {each["name"] for each in sa.inspect(connection).get_columns(column.table.name)}
        if column.name not in known:
            op.add_column(column.table.name, sa.Column(column.name, column.type, nullable=True))
    if not _knows_ready(connection):
        _make_again(connection)
    for index in deployments.indexes:
        if index.name == "one_active_deployment_per_group":  # its condition is another one now
            index.drop(connection)
            index.create(connection)


def _knows_ready(connection: sa.Connection) -> bool:
    query = "SELECT sql FROM sqlite_master WHERE name = 'deployments'"
    return "'Ready'" in connection.exec_driver_sql(query).scalar_one()


def _make_again(connection: sa.Connection) -> None:
    """SQLite changes no constraint of a table that is there: its rows move into a new one.

    Foreign keys are off meanwhile; see `Database`.
    """
    names = ", ".join(f'"{column.name}"' for column in deployments.columns)
    made = str(CreateTable(deployments).compile(connection)).replace("TABLE deployments", "TABLE deployments_made", 1)
    connection.exec_driver_sql(made)
    connection.exec_driver_sql(f"INSERT INTO deployments_made ({names}) SELECT {names} FROM deployments")
    connection.exec_driver_sql("DROP TABLE deployments")
    connection.exec_driver_sql("ALTER TABLE deployments_made RENAME TO deployments")
    for index in deployments.indexes:
        index.create(connection)
