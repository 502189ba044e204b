"""Which fleet of servers has the traffic of a deployment group, once one has replaced another."""

from typing import Any

import msgspec
import sqlalchemy as sa

from runner.model.fleets import Fleet, Live
from runner.model.manifest import GroupSettings
from runner.model.value import from_json, to_json
from runner.plan.fleets import fleet_of, of_fleet, redeclared
from runner.store import tables as t


def live_of(tx: sa.Connection, group_id: str) -> Live | None:
    """None: the one that the group's settings name."""
    found = tx.execute(sa.select(t.groups.c.live).where(t.groups.c.id == group_id)).scalar_one_or_none()
    return from_json(found, Live) if found else None


def set_live(tx: sa.Connection, group_id: str, fleet: Fleet) -> None:
    """From now on *fleet* is the group's. One that the wire API made names it itself; a manifest would say otherwise with
    its next commit, and is left as it is."""
    g = t.groups
    own = from_json(tx.execute(sa.select(g.c.settings).where(g.c.id == group_id)).scalar_one(), GroupSettings)
    values: dict[str, Any] = {"live": to_json(Live(fleet=fleet, instead_of=fleet_of(own)))}
    if own.declared:
        settings = msgspec.structs.replace(of_fleet(own, fleet), declared=redeclared(own.declared, fleet))
        values = {"settings": to_json(settings)}
    tx.execute(g.update().where(g.c.id == group_id).values(**values))
