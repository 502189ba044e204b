"""The first schema. What came later is added by the migrations that follow, where it is not there already."""

from alembic import op

from runner.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
