"""Instances that Auto Scaling launches or ends, and the lifecycle hooks that hold them meanwhile."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from runner.model.deployment import BESIDE, UNFINISHED, Creator, Deployment, DeploymentStatus, Options
from runner.model.ec2 import HeldInstance
from runner.model.fleets import Live
from runner.model.lifecycle_actions import LifecycleAction, LifecycleHook
from runner.model.manifest import GroupSettings
from runner.model.value import from_json, to_json
from runner.plan import lifecycle_actions as plan
from runner.ports.deployments import Related
from runner.store import creating, ended_hosts, reading
from runner.store.database import Database
from runner.store.ending import last_successful
from runner.store.ledger import Ledger
from runner.store.live import live_of
from runner.store.tables import deployments, groups, lifecycle_actions, lifecycle_hooks, targets

_A, _H, _D = lifecycle_actions.c, lifecycle_hooks.c, deployments.c


class LifecycleActions:
    """Implements port `LifecycleActionStore`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def wanted(self) -> list[LifecycleHook]:
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

    def installed(self) -> list[LifecycleHook]:
        with self._db.read() as tx:
            return [reading.lifecycle_hook(row) for row in tx.execute(sa.select(lifecycle_hooks).order_by(_H.name))]

    def installing(self, hook: LifecycleHook) -> None:
        with self._db.write() as tx:
            tx.execute(insert(lifecycle_hooks).values(_columns(hook)).on_conflict_do_nothing())

    def removed(self, hook: LifecycleHook) -> None:
        same = (_H.group_id == hook.group_id) & (_H.auto_scaling_group == hook.auto_scaling_group)
        with self._db.write() as tx:
            tx.execute(lifecycle_hooks.delete().where(same, _H.name == hook.name, _H.place == to_json(hook.place)))

    def actions(self) -> list[LifecycleAction]:
        query = sa.select(lifecycle_actions, _D.status).outerjoin(deployments, _D.id == _A.deployment_id)
        with self._db.read() as tx:
            rows = tx.execute(query.where(_A.settled_at.is_(None)).order_by(_A.begun_at)).all()
        return [
            LifecycleAction(
                hook=reading.lifecycle_hook(row),
                instance=row.instance,
                deployment_id=row.deployment_id,
                begun_at=row.begun_at,
                beaten_at=row.beaten_at,
                result=plan.result(row.transition, row.deployment_id, row.status and DeploymentStatus(row.status)),
                told_at=row.told_at,
            )
            for row in rows
        ]

    def known(self, hook: LifecycleHook) -> set[str]:
        with self._db.read() as tx:
            same = (_A.group_id == hook.group_id) & (_A.transition == hook.transition)
            return set(tx.execute(sa.select(_A.instance).where(same)).scalars())

    def begin(self, hook: LifecycleHook, instance: str, now: dt.datetime) -> str | None:
        with self._db.write() as tx:
            ends = hook.transition == "terminating"
            name = ended_hosts.name_of(tx, hook.group_id, instance) if ends else None
            values = {**_columns(hook), "instance": instance, "begun_at": now, "beaten_at": now}
            values["target"] = name or instance if ends else None
            if tx.execute(insert(lifecycle_actions).values(values).on_conflict_do_nothing()).rowcount == 0:
                return None
            good, settings = last_successful(tx, hook.group_id), _settings(tx, hook.group_id)
            if good is None or settings is None or (ends and name is None):
                return None
            held = HeldInstance(instance=instance, transition=hook.transition)
            alone = plan.settings_of_held(settings, held)
            made = _deploy(tx, good, alone, plan.CREATORS[hook.transition], now)
            tx.execute(lifecycle_actions.update().where(_same(hook, instance)).values(deployment_id=made))
            return made

    def beaten(self, action: LifecycleAction, now: dt.datetime) -> None:
        with self._db.write() as tx:
            tx.execute(_update(action).values(beaten_at=now))

    def told(self, action: LifecycleAction, now: dt.datetime) -> None:
        unfinished = (_D.id == action.deployment_id) & _D.status.in_(UNFINISHED)
        ends = action.hook.transition == "terminating"
        values = {"told_at": now, "settled_at": now if ends or action.result != "CONTINUE" else None}
        with self._db.write() as tx:
            tx.execute(_update(action).values(values))
            if ends:
                ended_hosts.forget(tx, action.hook.group_id, action.instance)
            stopped = deployments.update().where(unfinished).values(stop_requested=True, dirty=True)
            if action.result is None and tx.execute(stopped).rowcount and action.deployment_id:
                ledger = Ledger(tx, now)
                ledger.note(action.deployment_id, "stop requested", reason="Auto Scaling holds the instance no longer")
                ledger.write()

    def settle(self, action: LifecycleAction, now: dt.datetime, *, serves: bool) -> str | None:
        """It waits while another deployment of the group is unfinished."""
        group_id, made = action.hook.group_id, None
        with self._db.write() as tx:
            if serves and _busy(tx, group_id):
                return None
            good, settings = last_successful(tx, group_id), _settings(tx, group_id)
            values: dict[str, Any] = {"settled_at": now}
            if serves and good and settings and _raced(tx, action, good) and plan.updates_outdated(settings):
                made = _deploy(
                    tx, good, plan.settings_of_update(settings, live_of(tx, group_id)), "CodeDeployAutoUpdate", now
                )
                values |= {"follow_up": made, "root": good.id}
            tx.execute(_update(action).values(values))
        return made


def related(tx: sa.Connection, deployment_ids: Sequence[str]) -> dict[str, Related]:
    """Those of *deployment_ids* that follow up others, or that others follow up."""
    named = sa.or_(_A.follow_up.in_(deployment_ids), _A.root.in_(deployment_ids))
    links = tx.execute(sa.select(_A.root, _A.follow_up).where(named).order_by(_A.settled_at)).all()
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


def _raced(tx: sa.Connection, action: LifecycleAction, good: Deployment) -> bool:
    """Whether the group got *good* while the instance was launched, and the instance was no target of that."""
    if action.deployment_id is None:
        name = action.instance
    else:
        (own,) = reading.deployments(tx, _D.id == action.deployment_id)
        if own.exact == good.exact:
            return False
        of = sa.select(targets.c.target).where(targets.c.deployment_id == own.id)
        name = tx.execute(of).scalar_one_or_none() or action.instance
    same = (targets.c.deployment_id == good.id) & (targets.c.target == name)
    return tx.execute(sa.select(targets.c.target).where(same)).first() is None


def _update(action: LifecycleAction) -> sa.Update:
    return lifecycle_actions.update().where(_same(action.hook, action.instance))


def _same(hook: LifecycleHook, instance: str) -> sa.ColumnElement[bool]:
    return (_A.group_id == hook.group_id) & (_A.transition == hook.transition) & (_A.instance == instance)


def _columns(hook: LifecycleHook) -> dict[str, Any]:
    return {**msgspec.structs.asdict(hook), "place": to_json(hook.place)}
