"""Deployments as clients of the wire API make them and look through them. See the port `DeploymentStore`."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from runner.errors import DeploymentDoesNotExist, Refused
from runner.model.application import Group
from runner.model.deployment import BESIDE, UNFINISHED, Deployment, DeploymentStatus, Options
from runner.model.manifest import GroupSettings
from runner.model.revision import Revision
from runner.model.target import Target
from runner.plan.lifecycle import Pipeline
from runner.ports.deployments import DeploymentFilter, Page, Related
from runner.store import creating, reading
from runner.store import tables as t
from runner.store.database import Database
from runner.store.ending import last_successful_revision
from runner.store.ledger import Ledger
from runner.store.lifecycle_actions import related


class WireDeployments:
    def __init__(self, database: Database, pipeline: Pipeline) -> None:
        self._db, self._pipeline = database, pipeline

    def create(
        self, group: Group, settings: GroupSettings, revision: Revision, options: Options, now: dt.datetime
    ) -> str:
        """It is Queued at once: nothing that a manifest creates meanwhile can take its turn."""
        with self._db.write() as tx:
            _check_free(tx, group)
            ledger = Ledger(tx, now)
            made = creating.deployment(
                tx,
                ledger,
                application=group.application,
                settings=creating.without_absent_predecessors([settings])[0],
                revision=revision,
                appspec="appspec.yml",
                creator="user",
                options=options,
                now=now,
                status=DeploymentStatus.QUEUED,
                previous=last_successful_revision(tx, group.id),
            )
            ledger.note(made, "deployment queued")
            ledger.write()
            return made

    def get(self, deployment_id: str) -> Deployment:
        if found := self.several([deployment_id]):
            return found[0]
        raise DeploymentDoesNotExist(f"no deployment {deployment_id} is known here")

    def several(self, deployment_ids: Sequence[str]) -> list[Deployment]:
        with self._db.read() as tx:
            found = {each.id: each for each in reading.deployments(tx, t.deployments.c.id.in_(deployment_ids))}
        return [found[name] for name in dict.fromkeys(deployment_ids) if name in found]

    def related(self, deployment_ids: Sequence[str]) -> dict[str, Related]:
        with self._db.read() as tx:
            return related(tx, deployment_ids)

    def page(self, which: DeploymentFilter, after: int | None, limit: int) -> Page:
        d = t.deployments.c
        conditions = [
            *([d.group_id == which.group_id] if which.group_id else []),
            *([d.status.in_(which.statuses)] if which.statuses else []),
            *([d.created_at >= which.since] if which.since else []),
            *([d.created_at <= which.until] if which.until else []),
            *([d.number < after] if after is not None else []),
        ]
        query = sa.select(d.id, d.number).where(*conditions).order_by(d.number.desc()).limit(limit + 1)
        with self._db.read() as tx:
            return _page([(row.id, row.number) for row in tx.execute(query)], limit)

    def targets(self, deployment_id: str, names: Sequence[str]) -> list[Target]:
        if not names:
            return []
        with self._db.read() as tx:
            events = reading.events_of(tx, self._pipeline, deployment_id)
            found = {each.id: each for each in reading.targets(tx, deployment_id, events, *names)}
        return [found[name] for name in dict.fromkeys(names) if name in found]

    def target_page(
        self, deployment_id: str, statuses: Sequence[str], after: int | None, limit: int, labels: Sequence[str] = ()
    ) -> Page:
        c = t.targets.c
        conditions = [
            c.deployment_id == deployment_id,
            *([c.status.in_(statuses)] if statuses else []),
            *([c.label.in_(labels)] if labels else []),
            *([c.position > after] if after is not None else []),
        ]
        query = sa.select(c.target, c.position).where(*conditions).order_by(c.position).limit(limit + 1)
        with self._db.read() as tx:
            return _page([(row.target, row.position) for row in tx.execute(query)], limit)


def _check_free(tx: sa.Connection, group: Group) -> None:
    d = t.deployments.c
    unfinished = (d.group_id == group.id) & d.status.in_(UNFINISHED) & d.creator.not_in(BESIDE)
    query = sa.select(d.id).where(unfinished).order_by(d.number.desc())
    if active := tx.execute(query.limit(1)).scalar_one_or_none():
        raise Refused(
            "DeploymentLimitExceededException",
            f"The Deployment Group '{group.name}' already has an active Deployment '{active}'",
        )


def _page(rows: Sequence[tuple[str, int]], limit: int) -> Page:
    shown = rows[:limit]
    return Page([name for name, _ in shown], shown[-1][1] if len(rows) > limit else None)
