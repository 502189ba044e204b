"""New rows: applications, groups, releases and deployments."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from runner.errors import ApplicationAlreadyExists
from runner.model.deployment import (
    Creator,
    DeploymentStatus,
    Options,
    RollbackInfo,
    new_deployment_id,
)
from runner.model.journal import GENESIS
from runner.model.manifest import GroupSettings, Manifest
from runner.model.revision import Revision
from runner.model.value import to_json
from runner.store import tables as t
from runner.store.catalog import using
from runner.store.ledger import Ledger

_AT_ONCE = 500  # names in a query


def applications(tx: sa.Connection, manifests: Sequence[Manifest], repository: str, now: dt.datetime) -> None:
    """Make the applications and their groups, or bring their settings up to date. What is so already is not written.

    Raises `ApplicationAlreadyExists` when another repository or file owns a name, or the wire API made it.
    """
    for start in range(0, len(manifests), _AT_ONCE):
        some = manifests[start : start + _AT_ONCE]
        names = [each.application for each in some]
        c, g = t.applications.c, t.groups.c
        owners = {row.name: row for row in tx.execute(sa.select(c.name, c.repository, c.file).where(c.name.in_(names)))}
        groups = {
            (row.application, row.name): (row.settings, row.position)
            for row in tx.execute(
                sa.select(g.application, g.name, g.settings, g.position).where(g.application.in_(names))
            )
        }
        for manifest in some:
            _application(tx, manifest, repository, owners.get(manifest.application), now)
            for position, settings in enumerate(manifest.groups):
                known = groups.get((manifest.application, settings.name))
                _group(tx, manifest.application, settings, position, known, now)


def consider(tx: sa.Connection, manifests: Sequence[Manifest], commit_id: str) -> None:
    """It was judged for these applications."""
    for start in range(0, len(manifests), _AT_ONCE):
        names = [each.application for each in manifests[start : start + _AT_ONCE]]
        same = t.applications.c.name.in_(names)
        tx.execute(t.applications.update().where(same).values(considered_commit=commit_id))


def _application(tx: sa.Connection, manifest: Manifest, repository: str, owner: Any, now: dt.datetime) -> None:
    """*owner*: the row of that name, if there is one."""
    if owner is None:
        tx.execute(
            t.applications.insert().values(
                id=str(uuid.uuid4()),
                name=manifest.application,
                platform=manifest.platform,
                repository=repository,
                file=manifest.file,
                created_at=now,
            )
        )
    elif owner.repository is None:
        raise ApplicationAlreadyExists(
            f"application {manifest.application} was made through the API; delete it there first, or "
            f"{manifest.file} of {repository} must choose another name"
        )
    elif owner.repository != repository:
        raise ApplicationAlreadyExists(
            f"application {manifest.application} belongs to {owner.file} of repository {owner.repository}; "
            f"{manifest.file} of {repository} must choose another name"
        )
    elif owner.file != manifest.file:  # moved within its repository
        same = t.applications.c.name == manifest.application
        tx.execute(t.applications.update().where(same).values(file=manifest.file))


def _group(
    tx: sa.Connection,
    application: str,
    settings: GroupSettings,
    position: int,
    known: tuple[str, int] | None,
    now: dt.datetime,
) -> None:
    """*known*: settings and position of the row, if there is one."""
    c, wanted = t.groups.c, (to_json(settings), position)
    if known is None:
        made = {"id": str(uuid.uuid4()), "application": application, "name": settings.name, "created_at": now}
        tx.execute(t.groups.insert().values(settings=wanted[0], position=position, **made))
    elif known != wanted:
        same = (c.application == application) & (c.name == settings.name)
        tx.execute(t.groups.update().where(same).values(settings=wanted[0], position=position))


def release(
    tx: sa.Connection,
    ledger: Ledger,
    manifest: Manifest,
    revision: Revision,
    groups: Sequence[GroupSettings],
    *,
    change_id: int | None,
    creator: Creator,
    options: Options,
    now: dt.datetime,
) -> list[str]:
    """One pinned revision on its way through *groups*: a deployment for each, all Created. Returns their IDs."""
    release_id: int = tx.execute(
        t.releases.insert()
        .values(application=manifest.application, change_id=change_id, revision=to_json(revision), created_at=now)
        .returning(t.releases.c.id)
    ).scalar_one()
    return [
        deployment(
            tx,
            ledger,
            application=manifest.application,
            settings=settings,
            revision=revision,
            appspec=manifest.appspec,
            creator=creator,
            options=options,
            now=now,
            release_id=release_id,
            change_id=change_id,
        )
        for settings in groups
    ]


def deployment(
    tx: sa.Connection,
    ledger: Ledger,
    *,
    application: str,
    settings: GroupSettings,
    revision: Revision,
    appspec: str,
    creator: Creator,
    options: Options,
    now: dt.datetime,
    release_id: int | None = None,
    change_id: int | None = None,
    status: DeploymentStatus = DeploymentStatus.CREATED,
    rollback: RollbackInfo | None = None,
    pinned: Revision | None = None,
    previous: Revision | None = None,
) -> str:
    """One deployment, its intent only: the driver takes it from there.

    *pinned*: what the revision was when it was deployed before. *previous*: what the group has, where the deployment is
    made Queued; one that waits learns it when its turn comes.
    """
    group_id = tx.execute(
        sa.select(t.groups.c.id).where(t.groups.c.application == application, t.groups.c.name == settings.name)
    ).scalar_one()
    made = new_deployment_id()
    using.use(tx, application, revision, now)
    tx.execute(
        t.deployments.insert().values(
            id=made,
            number=sa.select(sa.func.coalesce(sa.func.max(t.deployments.c.number), 0) + 1).scalar_subquery(),
            application=application,
            group_name=settings.name,
            group_id=group_id,
            release_id=release_id,
            change_id=change_id,
            revision=to_json(revision),
            pinned=to_json(pinned) if pinned else None,
            previous_revision=to_json(previous) if previous else None,
            appspec=appspec,
            settings=to_json(settings),
            options=to_json(options),
            creator=creator,
            status=status,
            rollback=to_json(rollback) if rollback else None,
            created_at=now,
            hash=GENESIS,
        )
    )
    ledger.note(
        made,
        "deployment created",
        application=application,
        group=settings.name,
        revision=revision.label,
        creator=creator,
        rolls_back=rollback.rollback_triggering_deployment_id if rollback else None,
        platform=None if settings.platform == "Server" else settings.platform,
    )
    return made


def without_absent_predecessors(groups: Iterable[GroupSettings]) -> list[GroupSettings]:
    """Groups that wait for a group which is not deployed along with them wait for nothing."""
    import msgspec

    chosen = list(groups)
    names = {settings.name for settings in chosen}
    return [
        msgspec.structs.replace(settings, after=None)
        if settings.after and settings.after.group not in names
        else settings
        for settings in chosen
    ]
