"""Forgetting an application: everything that points at it goes first, in the order in which it points."""

import sqlalchemy as sa

from runner.store import tables as t

_OF_DEPLOYMENTS = (t.journal, t.outbox, t.lifecycle_events, t.host_commands, t.hook_executions, t.targets)


def forget(tx: sa.Connection, name: str) -> None:
    """Delete the application *name* and all that it has or had. Its deployments must have ended.

    Changes of its repository stay: they are the repository's.
    """
    groups = sa.select(t.groups.c.id).where(t.groups.c.application == name)
    deployments = sa.select(t.deployments.c.id).where(t.deployments.c.group_id.in_(groups))
    for table in _OF_DEPLOYMENTS:
        tx.execute(table.delete().where(table.c.deployment_id.in_(deployments)))
    tx.execute(t.instance_health.delete().where(t.instance_health.c.group_id.in_(groups)))
    tx.execute(t.deployments.delete().where(t.deployments.c.group_id.in_(groups)))
    tx.execute(t.resource_tags.delete().where(t.resource_tags.c.resource.in_(_tagged(tx, name))))
    for table in (t.groups, t.releases, t.revisions):
        tx.execute(table.delete().where(table.c.application == name))
    tx.execute(t.applications.delete().where(t.applications.c.name == name))


def _tagged(tx: sa.Connection, name: str) -> list[str]:
    applications = tx.execute(sa.select(t.applications.c.id).where(t.applications.c.name == name)).scalars()
    groups = tx.execute(sa.select(t.groups.c.id).where(t.groups.c.application == name)).scalars()
    return [*(f"application/{each}" for each in applications), *(f"deploymentgroup/{each}" for each in groups)]
