"""Rows into nouns. Nothing here writes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runner.model.aws import AwsPlace
from runner.model.deployment import (
    Deployment,
    DeploymentStatus,
    ErrorInformation,
    Options,
    Overview,
    RollbackInfo,
)
from runner.model.journal import Entry
from runner.model.lifecycle_actions import LifecycleHook
from runner.model.manifest import GroupSettings
from runner.model.program import Program, TargetState
from runner.model.revision import Revision
from runner.model.target import (
    Diagnostics,
    EventStatus,
    InstanceHealth,
    LifecycleEvent,
    RevisionHealth,
    Target,
    TargetStatus,
)
from runner.model.value import from_json
from runner.plan.fleets import FleetProgram
from runner.plan.lifecycle import Pipeline
from runner.store import tables as t


def revision(text: str | None) -> Revision | None:
    return None if text is None else from_json(text, Revision)  # type: ignore[arg-type]


def state_of(text: str) -> TargetState:
    """Of a function or a service."""
    return from_json(text, TargetState)  # type: ignore[arg-type]


def events_of(tx: sa.Connection, pipeline: Pipeline, deployment_id: str) -> tuple[str, ...]:
    """The lifecycle events of a deployment, which never change once it has begun; none of one that is not known.

    *pipeline*: of servers. What moves traffic has those of its program.
    """
    d = t.deployments.c
    row = tx.execute(sa.select(d.settings, d.plan).where(d.id == deployment_id)).first()
    if row is None:
        return ()
    settings = from_json(row.settings, GroupSettings)
    if settings.green is not None:
        return _every_event(from_json(row.plan, FleetProgram)) if row.plan else ()
    if settings.platform == "Server":
        return pipeline.of(settings)
    return from_json(row.plan, Program).events if row.plan else ()


def _every_event(program: FleetProgram) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*program.events_of("Green"), *program.events_of("Blue"))))


def deployments(tx: sa.Connection, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[Deployment]:
    """The deployments that match, newest first."""
    query = sa.select(t.deployments).where(*where).order_by(t.deployments.c.number.desc())
    rows = tx.execute(query.limit(limit) if limit else query).mappings().all()
    counts = _overviews(tx, [row["id"] for row in rows])
    return [deployment(row, counts.get(row["id"], Overview())) for row in rows]


def _overviews(tx: sa.Connection, ids: Sequence[str]) -> dict[str, Overview]:
    c = t.targets.c
    query = (
        sa.select(c.deployment_id, c.status, sa.func.count())
        .where(c.deployment_id.in_(ids))
        .group_by(c.deployment_id, c.status)
    )
    found: dict[str, dict[str, int]] = {}
    for of, status, count in tx.execute(query):
        found.setdefault(of, {})[status] = count
    return {of: Overview(**counts) for of, counts in found.items()}


def deployment(row: sa.RowMapping, overview: Overview) -> Deployment:
    """One row of `deployments` as a value."""
    pinned = revision(row["revision"])
    assert pinned is not None
    return Deployment(
        id=row["id"],
        application=row["application"],
        group=row["group_name"],
        group_id=row["group_id"],
        revision=pinned,
        pinned=revision(row["pinned"]),
        previous_revision=revision(row["previous_revision"]),
        appspec=row["appspec"],
        settings=from_json(row["settings"], GroupSettings),
        options=from_json(row["options"], Options),
        creator=row["creator"],
        status=DeploymentStatus(row["status"]),
        error=from_json(row["error"], ErrorInformation) if row["error"] else None,
        rollback=from_json(row["rollback"], RollbackInfo) if row["rollback"] else None,
        overview=overview,
        waiting_for=row["waiting_for"],
        waiting_until=row["waiting_until"],
        wait=row["wait"],
        stop_requested=row["stop_requested"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        release_id=row["release_id"],
        change_id=row["change_id"],
    )


def targets(tx: sa.Connection, deployment_id: str, events: Sequence[str], *names: str) -> list[Target]:
    """The targets of a deployment in deployment order, each with all lifecycle *events* of its pipeline.

    Those of fleets have the events of their own fleet.
    """
    c, e = t.targets.c, t.lifecycle_events.c
    which = [c.deployment_id == deployment_id, *([c.target.in_(names)] if names else [])]
    rows = tx.execute(sa.select(t.targets).where(*which).order_by(c.position)).all()
    only = [e.deployment_id == deployment_id, *([e.target.in_(names)] if names else [])]
    happened: dict[str, dict[int, LifecycleEvent]] = {}
    for row in tx.execute(sa.select(t.lifecycle_events).where(*only)):
        happened.setdefault(row.target, {})[row.event] = _lifecycle_event(row)
    own = _events_of_fleets(tx, deployment_id) if any(row.label for row in rows) else {}
    serves = any(row.state and row.status == TargetStatus.SUCCEEDED for row in rows)  # what follows cleans up
    cleans_up = serves and not _has_ended(tx, deployment_id)
    return [
        Target(
            id=row.target,
            status=TargetStatus(row.status),
            updated_at=row.updated_at,
            state=state_of(row.state) if row.state else None,
            lifecycle_events=tuple(
                _all_events(
                    own.get(row.label, events),
                    happened.get(row.target, {}),
                    is_over=TargetStatus(row.status).is_terminal and not cleans_up,
                )
            ),
            label=row.label,
        )
        for row in rows
    ]


def _has_ended(tx: sa.Connection, deployment_id: str) -> bool:
    d = t.deployments.c
    return DeploymentStatus(tx.execute(sa.select(d.status).where(d.id == deployment_id)).scalar_one()).is_terminal


def _events_of_fleets(tx: sa.Connection, deployment_id: str) -> dict[str, tuple[str, ...]]:
    plan = tx.execute(sa.select(t.deployments.c.plan).where(t.deployments.c.id == deployment_id)).scalar_one()
    program = from_json(plan, FleetProgram)
    return {label: program.events_of(label) for label in ("Blue", "Green")}


def _lifecycle_event(row: Any) -> LifecycleEvent:
    return LifecycleEvent(
        name=row.name,
        status=EventStatus(row.status),
        attempt=row.attempt,
        started_at=row.started_at,
        ended_at=row.ended_at,
        diagnostics=from_json(row.diagnostics, Diagnostics) if row.diagnostics else None,
    )


def _all_events(
    names: Sequence[str], happened: Mapping[int, LifecycleEvent], *, is_over: bool
) -> Iterable[LifecycleEvent]:
    """What happened, and for the rest: Skipped once nothing more comes, Pending before."""
    rest = EventStatus.SKIPPED if is_over else EventStatus.PENDING
    for index, name in enumerate(names):
        yield happened.get(index) or LifecycleEvent(name=name, status=rest)


def instance_health(tx: sa.Connection, group_id: str) -> list[InstanceHealth]:
    """What is known of the hosts of a deployment group, by name."""
    h = t.instance_health
    return [
        InstanceHealth(target=row.target, healthy=row.healthy, revision=RevisionHealth(row.revision))
        for row in tx.execute(sa.select(h).where(h.c.group_id == group_id).order_by(h.c.target))
    ]


def lifecycle_hook(row: Any) -> LifecycleHook:
    """*row*: of a hook, or of one of its actions."""
    return LifecycleHook(
        group_id=row.group_id,
        place=from_json(row.place, AwsPlace),
        auto_scaling_group=row.auto_scaling_group,
        transition=row.transition,
        name=row.name,
    )


def entries(tx: sa.Connection, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[Entry]:
    """Journal entries in the order in which they were written."""
    query = sa.select(t.journal).where(*where).order_by(t.journal.c.id)
    rows = tx.execute(query.limit(limit) if limit else query)
    return [Entry(**row._mapping) for row in rows]
