"""Repositories whose pull requests could not be told the last time."""

from alembic import op

from runner.store.tables import metadata

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    metadata.create_all(op.get_bind())  # those of its tables that are not there
