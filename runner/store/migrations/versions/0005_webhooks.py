"""Webhooks that are taken, and what is wrong with their secrets."""

from alembic import op

from runner.store.tables import metadata

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    metadata.create_all(op.get_bind())  # those of its tables that are not there
