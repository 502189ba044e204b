"""Deployments whose traffic moves: the status Ready, alarms, states of targets, hooks.

What is changed here is spelled out as this version has it, so that it stays the same when the tables are others. Tables
that are not there at all are made as they are today: a later migration adds only what it does not find.
"""

import sqlalchemy as sa
from alembic import op

from runner.store.tables import metadata

revision = "0003"
down_revision = "0002"

_ADDED = (
    ("deployments", "wait", sa.String(12)),
    ("deployments", "alarm", sa.Text()),
    ("deployments", "act", sa.String(12)),
    ("deployments", "batch", sa.Integer()),
    ("targets", "state", sa.Text()),
    ("targets", "label", sa.String(5)),
    ("deployment_groups", "live", sa.Text()),
)

_DEPLOYMENTS = """
CREATE TABLE deployments_made (
    id VARCHAR(20) NOT NULL,
    number INTEGER NOT NULL,
    application VARCHAR(100) NOT NULL,
    group_name VARCHAR(100) NOT NULL,
    group_id VARCHAR(36) NOT NULL,
    release_id INTEGER,
    change_id INTEGER,
    revision TEXT NOT NULL,
    pinned TEXT,
    previous_revision TEXT,
    appspec VARCHAR(255) NOT NULL,
    settings TEXT NOT NULL,
    options TEXT NOT NULL,
    creator VARCHAR(30) NOT NULL,
    status VARCHAR(12) NOT NULL,
    error TEXT,
    "rollback" TEXT,
    waiting_for TEXT,
    waiting_until VARCHAR(32),
    stop_requested BOOLEAN DEFAULT '0' NOT NULL,
    stop_rollback BOOLEAN,
    continue_requested BOOLEAN DEFAULT '0' NOT NULL,
    preparing BOOLEAN DEFAULT '0' NOT NULL,
    prepared TEXT,
    "plan" TEXT,
    step INTEGER DEFAULT '0' NOT NULL,
    hold_until VARCHAR(32),
    wait VARCHAR(12),
    act VARCHAR(12),
    batch INTEGER,
    alarm TEXT,
    created_at VARCHAR(32) NOT NULL,
    started_at VARCHAR(32),
    completed_at VARCHAR(32),
    dirty BOOLEAN DEFAULT '1' NOT NULL,
    wake_at VARCHAR(32),
    sequence INTEGER DEFAULT '0' NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT deployment_status CHECK (
        status IN ('Created', 'Queued', 'InProgress', 'Ready', 'Succeeded', 'Failed', 'Stopped')
    ),
    UNIQUE (number),
    FOREIGN KEY(group_id) REFERENCES deployment_groups (id),
    FOREIGN KEY(release_id) REFERENCES releases (id),
    FOREIGN KEY(change_id) REFERENCES changes (id)
)"""

_NAMES = """
id, number, application, group_name, group_id, release_id, change_id, revision, pinned, previous_revision, appspec,
settings, options, creator, status, error, "rollback", waiting_for, waiting_until, stop_requested, stop_rollback,
continue_requested, preparing, prepared, "plan", step, hold_until, wait, act, batch, alarm, created_at, started_at,
completed_at, dirty, wake_at, sequence, hash"""

_INDEXES = (
    "CREATE INDEX deployments_dirty ON deployments (dirty) WHERE dirty",
    "CREATE INDEX deployments_of_group ON deployments (group_id, number)",
    "CREATE INDEX deployments_of_release ON deployments (release_id)",
    "CREATE INDEX deployments_timers ON deployments (wake_at) WHERE wake_at IS NOT NULL",
    "CREATE INDEX deployments_unfinished ON deployments (status) "
    "WHERE status IN ('Created', 'Queued', 'InProgress', 'Ready')",
    "CREATE UNIQUE INDEX one_active_deployment_per_group ON deployments (group_id) "
    "WHERE status IN ('Queued', 'InProgress', 'Ready') AND creator NOT IN ('autoscaling', 'autoscalingTermination')",
)


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)  # those of its tables that are not there
    for table, name, kind in _ADDED:
        known = {each["name"] for each in sa.inspect(connection).get_columns(table)}
        if name not in known:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    if not _knows_ready(connection):
        _make_again(connection)


def _knows_ready(connection: sa.Connection) -> bool:
    query = "SELECT sql FROM sqlite_master WHERE name = 'deployments'"
    return "'Ready'" in connection.exec_driver_sql(query).scalar_one()


def _make_again(connection: sa.Connection) -> None:
    """SQLite changes no constraint of a table that is there: its rows move into a new one.

    Foreign keys are off meanwhile; see `Database`.
    """
    connection.exec_driver_sql(_DEPLOYMENTS)
    connection.exec_driver_sql(f"INSERT INTO deployments_made ({_NAMES}) SELECT {_NAMES} FROM deployments")
    connection.exec_driver_sql("DROP TABLE deployments")
    connection.exec_driver_sql("ALTER TABLE deployments_made RENAME TO deployments")
    for index in _INDEXES:
        connection.exec_driver_sql(index)
