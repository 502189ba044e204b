"""Instances that Auto Scaling launches, and the lifecycle hooks that hold them meanwhile."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from runner.model.aws import AwsPlace
from runner.model.deployment import BESIDE, UNFINISHED, Creator, Deployment, DeploymentStatus, Options
from runner.model.fleets import Live
from runner.model.launches import ActionResult, Launch, LaunchHook
from runner.model.manifest import GroupSettings
from runner.model.value import from_json, to_json
from runner.plan import launches as plan
from runner.ports.deployments import Related
from runner.store import creating, reading
from runner.store.database import Database
from runner.store.ending import last_successful
from runner.store.ledger import Ledger
from runner.store.live import live_of
from runner.store.tables import deployments, groups, launch_hooks, launches, targets

_L, _H, _D = launches.c, launch_hooks.c, deployments.c


class Launches:
    """Implements port `LaunchStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def wanted(self) -> list[LaunchHook]:
        g = groups.c
        may = g.settings.contains('"auto_scaling_groups":') | g.live.is_not(None)
        with self._db.read() as tx:
            rows = tx.execute(
                sa.select(g.id, g.settings, g.live).where(g.deleted_at.is_(None), may).order_by(g.id)
            ).all()
        return [
            hook
            for row in rows
            for hook in plan.hooks(
                row.id, from_json(row.settings, GroupSettings), from_json(row.live, Live) if row.live else None
            )
        ]

    def installed(self) -> list[LaunchHook]:
        with self._db.read() as tx:
            return [_hook(row) for row in tx.execute(sa.select(launch_hooks).order_by(_H.name))]

    def installing(self, hook: LaunchHook) -> None:
        with self._db.write() as tx:
            tx.execute(insert(launch_hooks).values(_columns(hook)).on_conflict_do_nothing())

    def removed(self, hook: LaunchHook) -> None:
        same = (_H.group_id == hook.group_id) & (_H.auto_scaling_group == hook.auto_scaling_group)
        with self._db.write() as tx:
            tx.execute(launch_hooks.delete().where(same, _H.name == hook.name, _H.place == to_json(hook.place)))

    def launches(self) -> list[Launch]:
        query = sa.select(launches, _D.status).outerjoin(deployments, _D.id == _L.deployment_id)
        with self._db.read() as tx:
            rows = tx.execute(query.where(_L.settled_at.is_(None)).order_by(_L.begun_at)).all()
        return [
            Launch(
                hook=_hook(row),
                instance=row.instance,
                deployment_id=row.deployment_id,
                beaten_at=row.beaten_at,
                result=_result(row),
                told_at=row.told_at,
            )
            for row in rows
        ]

    def known(self, hook: LaunchHook) -> set[str]:
        with self._db.read() as tx:
            return set(tx.execute(sa.select(_L.instance).where(_L.group_id == hook.group_id)).scalars())

    def begin(self, hook: LaunchHook, instance: str, now: dt.datetime) -> str | None:
        with self._db.write() as tx:
            values = {**_columns(hook), "instance": instance, "begun_at": now, "beaten_at": now}
            if tx.execute(insert(launches).values(values).on_conflict_do_nothing()).rowcount == 0:
                return None
            good = last_successful(tx, hook.group_id)
            settings = _settings(tx, hook.group_id)
            if good is None or settings is None:
                return None
            made = _deploy(tx, good, plan.settings_of_launch(settings, instance), "autoscaling", now)
            tx.execute(launches.update().where(_same(hook, instance)).values(deployment_id=made))
            return made

    def beaten(self, launch: Launch, now: dt.datetime) -> None:
        with self._db.write() as tx:
            tx.execute(launches.update().where(_same(launch.hook, launch.instance)).values(beaten_at=now))

    def told(self, launch: Launch, now: dt.datetime) -> None:
        unfinished = (_D.id == launch.deployment_id) & _D.status.in_(UNFINISHED)
        values = {"told_at": now, "settled_at": None if launch.result == "CONTINUE" else now}
        with self._db.write() as tx:
            tx.execute(launches.update().where(_same(launch.hook, launch.instance)).values(values))
            if launch.result is None:
                tx.execute(deployments.update().where(unfinished).values(stop_requested=True, dirty=True))

    def settle(self, launch: Launch, now: dt.datetime, *, serves: bool) -> str | None:
        """It waits while another deployment of the group is unfinished."""
        group_id, made = launch.hook.group_id, None
        with self._db.write() as tx:
            if serves and _busy(tx, group_id):
                return None
            good, settings = last_successful(tx, group_id), _settings(tx, group_id)
            values: dict[str, Any] = {"settled_at": now}
            if serves and good and settings and _raced(tx, launch, good) and plan.updates_outdated(settings):
                made = _deploy(
                    tx, good, plan.settings_of_update(settings, live_of(tx, group_id)), "CodeDeployAutoUpdate", now
                )
                values |= {"follow_up": made, "root": good.id}
            tx.execute(launches.update().where(_same(launch.hook, launch.instance)).values(values))
        return made


def related(tx: sa.Connection, deployment_ids: Sequence[str]) -> dict[str, Related]:
    """Those of *deployment_ids* that follow up others, or that others follow up."""
    named = sa.or_(_L.follow_up.in_(deployment_ids), _L.root.in_(deployment_ids))
    links = tx.execute(sa.select(_L.root, _L.follow_up).where(named).order_by(_L.settled_at)).all()
    roots = {link.follow_up: link.root for link in links}
    found = {}
    for each in deployment_ids:
        updates = tuple(dict.fromkeys(link.follow_up for link in links if link.root == each))
        if each in roots or updates:
            found[each] = Related(roots.get(each), updates)
    return found


def _deploy(tx: sa.Connection, good: Deployment, settings: GroupSettings, creator: Creator, now: dt.datetime) -> str:
    ledger = Ledger(tx, now)
    made = creating.deployment(
        tx,
        ledger,
        application=good.application,
        settings=settings,
        revision=good.revision,
        pinned=good.pinned,
        previous=good.revision,
        appspec=good.appspec,
        creator=creator,
        options=Options(
            file_exists_behavior=good.options.file_exists_behavior,
            ignore_application_stop_failures=good.options.ignore_application_stop_failures,
            update_outdated_instances_only=creator == "CodeDeployAutoUpdate",
        ),
        now=now,
        status=DeploymentStatus.QUEUED,
    )
    ledger.note(made, "deployment queued")
    ledger.write()
    return made


def _settings(tx: sa.Connection, group_id: str) -> GroupSettings | None:
    g = groups.c
    found = tx.execute(sa.select(g.settings).where(g.id == group_id, g.deleted_at.is_(None))).scalar_one_or_none()
    return from_json(found, GroupSettings) if found else None


def _busy(tx: sa.Connection, group_id: str) -> bool:
    others = (_D.group_id == group_id) & _D.status.in_(UNFINISHED) & _D.creator.not_in(BESIDE)
    return tx.execute(sa.select(_D.id).where(others).limit(1)).first() is not None


def _raced(tx: sa.Connection, launch: Launch, good: Deployment) -> bool:
    """Whether the group got *good* while the instance was launched, and the instance was no target of that."""
    if launch.deployment_id is None:
        name = launch.instance
    else:
        (own,) = reading.deployments(tx, _D.id == launch.deployment_id)
        if own.exact == good.exact:
            return False
        of = sa.select(targets.c.target).where(targets.c.deployment_id == own.id)
        name = tx.execute(of).scalar_one_or_none() or launch.instance
    same = (targets.c.deployment_id == good.id) & (targets.c.target == name)
    return tx.execute(sa.select(targets.c.target).where(same)).first() is None


def _same(hook: LaunchHook, instance: str) -> sa.ColumnElement[bool]:
    return (_L.group_id == hook.group_id) & (_L.instance == instance)


def _columns(hook: LaunchHook) -> dict[str, Any]:
    return {**msgspec.structs.asdict(hook), "place": to_json(hook.place)}


def _hook(row: Any) -> LaunchHook:
    return LaunchHook(
        group_id=row.group_id,
        place=from_json(row.place, AwsPlace),
        auto_scaling_group=row.auto_scaling_group,
        name=row.name,
    )


def _result(row: Any) -> ActionResult | None:
    """Where there was nothing to deploy, the instance is as good as the others are: none of them has a revision."""
    if row.deployment_id is None or row.status == DeploymentStatus.SUCCEEDED:
        return "CONTINUE"
    if row.status is None:  # deleted with its application
        return "ABANDON"
    return "ABANDON" if DeploymentStatus(row.status).is_terminal else None
