"""The way back of a blue/green deployment on servers: traffic returns to the original as long as that is there."""

from typing import Any

import msgspec
import sqlalchemy as sa

from runner.errors import NoInstances
from runner.model.deployment import BESIDE, Deployment, RollbackInfo
from runner.model.manifest import GroupSettings
from runner.model.program import Act
from runner.model.target import Host
from runner.model.value import from_json
from runner.model.work import Rerouting
from runner.plan.fleets import TERMINATE, FleetProgram, of_fleet
from runner.store import tables as t
from runner.store.stock import FleetStock


def rerouting(tx: sa.Connection, rollback: str | None) -> Rerouting | None:
    """What a deployment with this RollbackInfo is to undo; None where it undoes nothing, or the original is gone."""
    failed = from_json(rollback, RollbackInfo).rollback_triggering_deployment_id if rollback else None
    row = _row(tx, failed) if failed else None
    if row is None or _has_ended_the_original(row):
        return None
    program, stock = from_json(row.plan, FleetProgram), from_json(row.prepared, FleetStock)
    installed = len(program.events_of("Green")) - len(program.events_of("Blue"))  # events before those of traffic
    c = t.targets.c
    hosts = tx.execute(sa.select(c.host, c.label, c.event).where(c.deployment_id == failed).order_by(c.position)).all()
    return Rerouting(
        original=stock.original,
        replacement=stock.replacement,
        blue=tuple(from_json(each.host, Host) for each in hosts if each.label == "Blue"),
        green=tuple(from_json(each.host, Host) for each in hosts if each.label == "Green" and each.event >= installed),
    )


def settings_of_way_back(tx: sa.Connection, ended: Deployment) -> GroupSettings:
    """With which settings *ended* is rolled back. Without its original, the replacement gets the earlier revision in place,
    and is said to.

    The alarm that stopped the deployment must not stop the way back.
    """
    settings = msgspec.structs.replace(ended.settings, alarms=None)
    row = _row(tx, ended.id)
    if row is None or not _has_ended_the_original(row):
        return settings
    replacement = of_fleet(settings, from_json(row.prepared, FleetStock).replacement)
    return msgspec.structs.replace(replacement, green=None, declared=_in_place(settings.declared))


def _in_place(declared: dict[str, Any]) -> dict[str, Any]:
    """What the wire API was told of a group, for a deployment that replaces none of its hosts; a DeploymentGroupInfo."""
    if not declared:
        return declared
    kept = {name: value for name, value in declared.items() if name != "blueGreenDeploymentConfiguration"}
    return {**kept, "deploymentStyle": {**declared["deploymentStyle"], "deploymentType": "IN_PLACE"}}


def is_last(tx: sa.Connection, deployment_id: str) -> bool:
    """Whether its hosts are as it left them: nothing else has begun in its group since, but for its own way back."""
    d = t.deployments.c
    this = tx.execute(sa.select(d.group_id, d.number).where(d.id == deployment_id)).one()
    later = sa.select(d.rollback).where(
        d.group_id == this.group_id, d.number > this.number, d.started_at.is_not(None), d.creator.not_in(BESIDE)
    )
    undone = (from_json(each, RollbackInfo) if each else RollbackInfo() for each in tx.execute(later).scalars())
    return all(each.rollback_triggering_deployment_id == deployment_id for each in undone)


def check_last(tx: sa.Connection, rollback: str) -> None:
    """The way back that is about to begin may have waited for another deployment. Raises `NoInstances`."""
    undone = from_json(rollback, RollbackInfo).rollback_triggering_deployment_id
    if undone is not None and not is_last(tx, undone):
        raise NoInstances(
            f"another deployment of the group has begun since {undone}, so its hosts are not as that one left them; "
            "nothing was changed. Roll back the last deployment of the group, or deploy the revision that you want"
        )


def can_be_rerouted(tx: sa.Connection, deployment_id: str) -> bool:
    row = _row(tx, deployment_id)
    return row is not None and not _has_ended_the_original(row)


def _row(tx: sa.Connection, deployment_id: str) -> Any:
    """Of a deployment of fleets that has begun; None of any other."""
    d = t.deployments.c
    query = sa.select(d.settings, d.plan, d.prepared, d.step, d.act).where(d.id == deployment_id)
    row = tx.execute(query).first()
    if row is None or row.plan is None or from_json(row.settings, GroupSettings).green is None:
        return None
    return row


def _has_ended_the_original(row: Any) -> bool:
    """Whether any of it may be gone."""
    steps = from_json(row.plan, FleetProgram).steps
    for number, step in enumerate(steps):
        if isinstance(step, Act) and step.event == TERMINATE:
            return row.step > number or (row.step == number and row.act is not None)
    return False
