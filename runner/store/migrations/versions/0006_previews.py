"""Previews of pull requests, and which deployments a change has made."""

from alembic import op

from runner.store.tables import deployments, metadata

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    metadata.create_all(op.get_bind())  # those of its tables that are not there
    (index,) = (each for each in deployments.indexes if each.name == "deployments_of_change")
    index.create(op.get_bind(), checkfirst=True)
