"""Hosts of a deployment group that Auto Scaling ends: by which name the group knows them, and that they count no more."""

import datetime as dt

import sqlalchemy as sa

from runner.store.tables import groups, instance_health, lifecycle_actions, targets

_A, _H, _T, _G = lifecycle_actions.c, instance_health.c, targets.c, groups.c


def name_of(tx: sa.Connection, group_id: str, instance: str) -> str | None:
    """The name of the host that is *instance*; None where the group has deployed to no such host so far.

    A host of the configuration has a name of its own: it is looked for among those that were deployed to last.
    """
    newest = sa.select(_G.last_successful).where(_G.id == group_id)
    attempted = sa.select(_G.last_attempted).where(_G.id == group_id)
    alone = sa.select(_A.deployment_id).where(_A.group_id == group_id, _A.instance == instance)
    named = sa.select(_T.target).where(
        _T.deployment_id.in_(sa.union_all(newest, attempted, alone)),
        sa.func.json_extract(_T.host, "$.instance") == instance,
    )
    query = sa.select(_H.target).where(_H.group_id == group_id, (_H.target == instance) | _H.target.in_(named))
    return tx.execute(query.limit(1)).scalar_one_or_none()


def forget(tx: sa.Connection, group_id: str, instance: str) -> None:
    """It is no host of the group any more."""
    ending = (_A.group_id == group_id) & (_A.instance == instance) & (_A.transition == "terminating")
    name = sa.select(_A.target).where(ending).scalar_subquery()
    tx.execute(instance_health.delete().where(_H.group_id == group_id, _H.target == name))


def ended_since(tx: sa.Connection, group_id: str, since: dt.datetime) -> set[str]:
    """The names of hosts that were forgotten since then: a deployment that began before may still have had them."""
    ended = (_A.group_id == group_id) & (_A.transition == "terminating") & (_A.told_at >= since)
    return set(tx.execute(sa.select(_A.target).where(ended)).scalars())
