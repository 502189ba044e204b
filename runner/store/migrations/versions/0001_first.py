"""The first schema."""

from alembic import op

from runner.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    # While this is the only migration, it is the tables as they stand. The next one freezes them here.
    metadata.create_all(op.get_bind())
