"""Deliveries of webhooks."""

from alembic import op

from runner.store.tables import metadata

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    metadata.create_all(op.get_bind())  # those of its tables that are not there
