"""What the end of a deployment brings about: the group's state, its hosts' health, and the way back."""

import datetime as dt

import sqlalchemy as sa

from runner.model.deployment import (
    BESIDE,
    Creator,
    Deployment,
    DeploymentStatus,
    ErrorInformation,
    Options,
    RollbackInfo,
)
from runner.model.manifest import TriggerEvent
from runner.model.revision import Revision
from runner.model.target import TargetStatus
from runner.model.value import from_json, to_json
from runner.plan.fleets import FleetProgram
from runner.plan.health import after_deployment, outdated
from runner.store import creating, reading, rerouting
from runner.store import tables as t
from runner.store.ended_hosts import ended_since
from runner.store.ledger import Ledger
from runner.store.letters import post_about_deployment

_TRIGGERS: dict[DeploymentStatus, TriggerEvent] = {
    DeploymentStatus.SUCCEEDED: "DeploymentSuccess",
    DeploymentStatus.FAILED: "DeploymentFailure",
    DeploymentStatus.STOPPED: "DeploymentStop",
}

_ALARMING = ("ALARM_ACTIVE", "CUSTOMER_APPLICATION_UNHEALTHY")  # an alarm, a check of the manifest


def end_deployment(
    tx: sa.Connection,
    ledger: Ledger,
    deployment_id: str,
    status: DeploymentStatus,
    error: ErrorInformation | None,
    now: dt.datetime,
    *,
    reversible: bool = True,
) -> None:
    """Record a terminal status and all that follows from it. The deployment's targets are already up to date.

    *reversible*: its rollback is worth having, where the group wants one.
    """
    d = t.deployments
    tx.execute(
        d.update()
        .where(d.c.id == deployment_id)
        .values(
            status=status,
            error=to_json(error) if error else None,
            completed_at=now,
            waiting_for=None,
            waiting_until=None,
            hold_until=None,
            wake_at=None,
            dirty=False,
        )
    )
    ledger.note(
        deployment_id,
        f"deployment {status.lower()}",
        code=error.code if error else None,
        message=error.message if error else None,
    )
    ended = reading.deployments(tx, d.c.id == deployment_id)[0]
    outcome = _outcomes(tx, deployment_id)
    if ended.started_at is not None and ended.settings.green is not None:
        _update_health_of_fleets(tx, ended, outcome)
    elif ended.started_at is not None and ended.settings.platform == "Server" and not _takes_leave(ended):
        _update_health(tx, ended, outcome)
    touched = any(status is not TargetStatus.SKIPPED for status in outcome.values())
    if status is DeploymentStatus.SUCCEEDED and ended.creator not in BESIDE:
        _note_success(tx, ended)
    stop_rollback = tx.execute(sa.select(d.c.stop_rollback).where(d.c.id == deployment_id)).scalar_one()
    if touched and reversible and _wants_rollback(ended, stop_rollback):
        ended = _roll_back(tx, ledger, ended, now)
    if ended.started_at is not None or status is DeploymentStatus.FAILED:
        post_about_deployment(tx, ended, _TRIGGERS[status], now)
    waiting = (d.c.application == ended.application) & (d.c.status == DeploymentStatus.CREATED)
    tx.execute(d.update().where(waiting).values(dirty=True))


def _outcomes(tx: sa.Connection, deployment_id: str) -> dict[str, TargetStatus]:
    c = t.targets.c
    rows = tx.execute(sa.select(c.target, c.status).where(c.deployment_id == deployment_id))
    return {row.target: TargetStatus(row.status) for row in rows}


def _update_health(tx: sa.Connection, ended: Deployment, outcome: dict[str, TargetStatus]) -> None:
    h = t.instance_health
    known = reading.instance_health(tx, ended.group_id)
    gone = ended_since(tx, ended.group_id, ended.started_at) if ended.started_at else set()
    outcome = {name: status for name, status in outcome.items() if name not in gone}
    tx.execute(h.delete().where(h.c.group_id == ended.group_id))
    good = last_successful(tx, ended.group_id) if ended.status is DeploymentStatus.SUCCEEDED else None
    moved = good is None or good.exact != ended.exact
    new = after_deployment(ended.status, known, outcome, moved=moved and ended.creator not in BESIDE)
    if moved and ended.creator in BESIDE:  # the group has got another revision while the instance was launched
        new = [outdated(health) if health.target in outcome else health for health in new]
    if new:
        tx.execute(
            h.insert(),
            [
                {"group_id": ended.group_id, "target": i.target, "healthy": i.healthy, "revision": i.revision}
                for i in new
            ],
        )


def _takes_leave(ended: Deployment) -> bool:
    """Its host ends; what it had says nothing of the group's."""
    return ended.creator == "autoscalingTermination"


def _update_health_of_fleets(tx: sa.Connection, ended: Deployment, outcome: dict[str, TargetStatus]) -> None:
    """The group's hosts are those of the fleet that has the traffic now; nothing changes where it has not moved."""
    h, d, c = t.instance_health, t.deployments.c, t.targets.c
    row = tx.execute(sa.select(d.plan, d.step).where(d.id == ended.id)).one()
    program = from_json(row.plan, FleetProgram)
    if row.step < program.serving:
        return
    label = "Blue" if program.restoring else "Green"
    names = tx.execute(sa.select(c.target).where(c.deployment_id == ended.id, c.label == label)).scalars()
    new = after_deployment(ended.status, (), {name: outcome[name] for name in names})
    tx.execute(h.delete().where(h.c.group_id == ended.group_id))
    if new:
        tx.execute(
            h.insert(),
            [
                {"group_id": ended.group_id, "target": i.target, "healthy": i.healthy, "revision": i.revision}
                for i in new
            ],
        )


def _note_success(tx: sa.Connection, ended: Deployment) -> None:
    """The group has the deployment's revision; or none of ours, where the first one that it ever had was undone."""
    undone = ended.rollback and ended.rollback.rollback_triggering_deployment_id
    d, g = t.deployments.c, t.groups
    had_one = undone is None or reading.deployments(tx, d.id == undone)[0].previous_revision is not None
    of_group = g.update().where(g.c.id == ended.group_id)
    tx.execute(of_group.values(last_successful=ended.id if had_one else None))


def _wants_rollback(ended: Deployment, stop_rollback: bool | None) -> bool:
    if ended.rollback and ended.rollback.rollback_triggering_deployment_id:
        return False  # a rollback that fails is not rolled back again
    if ended.creator in BESIDE:
        return False  # the group has what it had
    if ended.status is DeploymentStatus.FAILED:
        return "DEPLOYMENT_FAILURE" in ended.settings.rollback_on
    if ended.status is DeploymentStatus.STOPPED and ended.error and ended.error.code != "MANUAL_STOP":
        return ended.error.code in _ALARMING and "DEPLOYMENT_STOP_ON_ALARM" in ended.settings.rollback_on
    if ended.status is DeploymentStatus.STOPPED:
        wanted = "DEPLOYMENT_STOP_ON_REQUEST" in ended.settings.rollback_on
        return wanted if stop_rollback is None else stop_rollback
    return False


def _roll_back(tx: sa.Connection, ledger: Ledger, ended: Deployment, now: dt.datetime) -> Deployment:
    """Start a new deployment of the last successful revision, cross-linked; it takes the group at once."""
    good = last_successful(tx, ended.group_id)
    if good is None and gives_back_traffic(tx, ended):
        good = ended  # its traffic goes back to what served before, whoever had put that there
    if good is None:
        message = (
            f"Deployment {ended.id} cannot be rolled back: nothing was ever deployed successfully to {ended.place}."
        )
        info = RollbackInfo(rollback_message=message)
    else:
        made = way_back(tx, ledger, ended, good, now, creator="codeDeployRollback", status=DeploymentStatus.QUEUED)
        message = f"Deployment {made} is triggered to roll back deployment {ended.id}."
        info = RollbackInfo(rollback_deployment_id=made, rollback_message=message)
    set_rollback(tx, ended.id, info)
    ledger.note(ended.id, "rollback triggered" if good else "rollback impossible", message=message)
    return reading.deployments(tx, t.deployments.c.id == ended.id)[0]


def gives_back_traffic(tx: sa.Connection, ended: Deployment) -> bool:
    """Whether its way back only moves traffic."""
    return ended.settings.platform != "Server" or rerouting.can_be_rerouted(tx, ended.id)


def way_back(
    tx: sa.Connection,
    ledger: Ledger,
    ended: Deployment,
    good: Deployment,
    now: dt.datetime,
    *,
    creator: Creator,
    status: DeploymentStatus,
) -> str:
    """A new deployment of what *good* deployed, that knows which one it undoes. Returns its ID."""
    made = creating.deployment(
        tx,
        ledger,
        application=ended.application,
        settings=rerouting.settings_of_way_back(tx, ended),
        revision=good.revision,
        pinned=good.pinned,
        previous=good.revision,
        appspec=good.appspec,
        creator=creator,
        options=_of_a_rollback(good.options),
        now=now,
        change_id=None,
        status=status,
        rollback=RollbackInfo(rollback_triggering_deployment_id=ended.id),
    )
    message = f"Deployment {made} is triggered to roll back deployment {ended.id}."
    set_rollback(tx, made, RollbackInfo(rollback_triggering_deployment_id=ended.id, rollback_message=message))
    rolled = reading.deployments(tx, t.deployments.c.id == made)[0]
    post_about_deployment(tx, rolled, "DeploymentRollback", now)
    return made


def _of_a_rollback(options: Options) -> Options:
    """All hosts get the revision back, as it was deployed; what was said of that deployment alone is left behind."""
    return Options(
        file_exists_behavior=options.file_exists_behavior,
        ignore_application_stop_failures=options.ignore_application_stop_failures,
    )


def set_rollback(tx: sa.Connection, deployment_id: str, info: RollbackInfo) -> None:
    tx.execute(t.deployments.update().where(t.deployments.c.id == deployment_id).values(rollback=to_json(info)))


def last_successful(tx: sa.Connection, group_id: str) -> Deployment | None:
    """The deployment whose revision the group has, as far as the group is concerned."""
    query = sa.select(t.groups.c.last_successful).where(t.groups.c.id == group_id)
    found = tx.execute(query).scalar_one_or_none()
    return reading.deployments(tx, t.deployments.c.id == found)[0] if found else None


def replaced_by(tx: sa.Connection, deployment: Deployment) -> Deployment | None:
    """The deployment whose revision the group had when *deployment* began, which has ended."""
    if deployment.previous_revision is None:
        return None
    d = t.deployments.c
    query = sa.select(d.id).where(
        d.group_id == deployment.group_id,
        d.status == DeploymentStatus.SUCCEEDED,
        d.revision == to_json(deployment.previous_revision),
        d.completed_at <= deployment.started_at,
    )
    found = tx.execute(query.order_by(d.completed_at.desc(), d.number.desc()).limit(1)).scalar_one_or_none()
    return reading.deployments(tx, d.id == found)[0] if found else None


def last_successful_revision(tx: sa.Connection, group_id: str) -> Revision | None:
    good = last_successful(tx, group_id)
    return good.revision if good else None
