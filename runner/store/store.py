"""The store: everything that is remembered, behind the verbs that the other rooms use. SQL stays in this package.

Every method is one transaction. Methods block; call them from threads where that matters.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from runner.errors import (
    ApplicationDoesNotExist,
    DeploymentAlreadyCompleted,
    DeploymentDoesNotExist,
    DeploymentGroupDoesNotExist,
    DeploymentIsNotInReadyState,
)
from runner.model.change import Change, SeenBy
from runner.model.command import Job
from runner.model.deployment import BESIDE, UNFINISHED, Creator, Deployment, DeploymentStatus, Options
from runner.model.fleets import Live
from runner.model.journal import Entry
from runner.model.manifest import GroupSettings, Manifest
from runner.model.report import Reporting
from runner.model.revision import Bundle, Revision
from runner.model.status import ChangeState, ChangeStatus, GroupState, RepositoryState, State
from runner.model.target import EventStatus, Host, InstanceHealth, Target, TargetStatus
from runner.model.value import from_json, to_json
from runner.model.work import Action, Advance, Prepare, Result, RunEvent, Wish
from runner.plan.fleets import FleetProgram
from runner.plan.lifecycle import Pipeline
from runner.store import acts, changes, creating, fleets, reading, rerouting
from runner.store import tables as t
from runner.store.advance import advance, prepare_action
from runner.store.answers import Answers
from runner.store.catalog import Catalog
from runner.store.database import Database
from runner.store.deliveries import StoredDeliveries
from runner.store.deliveries import states as delivery_states
from runner.store.deliveries import webhooks as webhook_states
from runner.store.ending import gives_back_traffic, last_successful, replaced_by, way_back
from runner.store.event_rows import run_event
from runner.store.hooks import Hooks
from runner.store.host_commands import HostCommands
from runner.store.keys import Keys
from runner.store.ledger import Ledger
from runner.store.lifecycle_actions import LifecycleActions
from runner.store.live import live_of
from runner.store.outbox import Outbox, undelivered_to
from runner.store.previews import StoredPreviews
from runner.store.previews import states as preview_states
from runner.store.rollouts import StoredRollouts
from runner.store.sealing import Seal
from runner.store.stock import Stock, Stocked
from runner.store.suspensions import Suspensions
from runner.store.watched import WatchedDeployments
from runner.store.wire import WireDeployments

if TYPE_CHECKING:
    from runner.store.elsewhere.shipping import Shipping


class Store:
    """All state of one Penstock, in one folder. *pipeline*: the one of in-place deployments on servers.

    *key_file*: what secrets of access keys are encrypted with; by default `keys.key` in *folder*. *reportings*: which
    repositories' deployments are reported to a forge. *shipping*, *called*: as of `Database`.
    *at_hand*: the bundle of a revision, where this process has it; another one may have prepared the deployment.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: Pipeline,
        key_file: Path | None = None,
        reportings: Sequence[Reporting] = (),
        shipping: "Shipping | None" = None,
        called: str | None = None,
        at_hand: Callable[[Bundle, Revision], Bundle] = lambda bundle, revision: bundle,
    ) -> None:
        self._db = Database(folder, {"reportings": tuple(reportings)}, shipping, called)
        self._at_hand = at_hand
        self.outbox = Outbox(self._db)
        self.keys = Keys(self._db, Seal(key_file or folder / "keys.key"))
        self.answers = Answers(self._db)
        self.catalog = Catalog(self._db)
        self.wire = WireDeployments(self._db, pipeline)
        self.host_commands = HostCommands(self._db)
        self.hooks = Hooks(self._db)
        self.watch = WatchedDeployments(self._db)
        self.lifecycle_actions = LifecycleActions(self._db)
        self.suspensions = Suspensions(self._db)
        self.deliveries = StoredDeliveries(self._db)
        self.previews = StoredPreviews(self._db)
        self.rollouts = StoredRollouts(self._db)
        self._pipeline = pipeline
        self._events: dict[str, tuple[str, ...]] = {}

    def version(self) -> int:
        """Changes whenever anybody, in any process, has written."""
        return self._db.version()

    def close(self) -> None:
        self._db.close()

    # The driver's verbs.

    def advance(self, results: Sequence[Result], now: dt.datetime, *, draining: bool = False) -> Advance:
        """Record *results*, decide on everything that is dirty or due, and return what to do now that it is durable."""
        with self._db.write() as tx:
            return advance(tx, results, self._pipeline, now, draining=draining)

    def in_flight(self) -> list[Action]:
        """Actions whose intent is recorded but whose end is not: to be driven again, with the same keys, after a crash."""
        d, c = t.deployments.c, t.targets.c
        with self._db.read() as tx:
            preparing = reading.deployments(tx, d.status == DeploymentStatus.QUEUED, d.preparing)
            running = tx.execute(
                sa.select(c.deployment_id, c.target, c.event, c.attempt, c.label, d.settings, d.plan)
                .join(t.deployments, d.id == c.deployment_id)
                .where(d.status == DeploymentStatus.IN_PROGRESS)
                .where(c.status == TargetStatus.IN_PROGRESS, c.event_status == EventStatus.IN_PROGRESS)
                .where(c.state.is_(None))
                .order_by(d.number, c.position)
            )
            return [
                *(_prepare(tx, deployment) for deployment in preparing),
                *(self._run_event(*row) for row in running),
                *acts.in_flight(tx),
                *fleets.in_flight(tx),
            ]

    def _run_event(
        self, deployment_id: str, target: str, event: int, attempt: int, label: str | None, settings: str, plan: str
    ) -> RunEvent:
        if label is not None:
            program = from_json(plan, FleetProgram)
            is_last = program.ends_stage(label, event)
            return run_event(deployment_id, target, event, attempt, program.events_of(label), is_last=is_last)
        events = self._pipeline.of(from_json(settings, GroupSettings))
        return run_event(deployment_id, target, event, attempt, events)

    def job(self, deployment_id: str) -> tuple[Job, dict[str, Host]]:
        """What a deployment's commands carry, and its hosts by name. It never changes once the deployment has begun."""
        with self._db.read() as tx:
            deployment = self._get(tx, deployment_id)
            d, c = t.deployments.c, t.targets.c
            stock = from_json(tx.execute(sa.select(d.prepared).where(d.id == deployment_id)).scalar_one(), Stock)
            # By whomever it was asked for: hosts take the scripts of a way back from elsewhere.
            restoring = deployment.settings.green is not None and fleets.is_restoring(tx, deployment_id)
            rows = tx.execute(sa.select(c.target, c.host).where(c.deployment_id == deployment_id))
            hosts = {row.target: from_json(row.host, Host) for row in rows}
        job = Job(
            deployment_id=deployment.id,
            application=deployment.application,
            group=deployment.group,
            group_id=deployment.group_id,
            revision=deployment.exact,
            bundle=self._at_hand(stock.bundle, deployment.exact),
            appspec=stock.appspec,
            appspec_file=stock.appspec_file or deployment.appspec,
            file_exists_behavior=deployment.options.file_exists_behavior,
            load_balancer=deployment.settings.load_balancer,
            creator="codeDeployRollback" if restoring else deployment.creator,
            deployment_type="IN_PLACE" if deployment.settings.green is None else "BLUE_GREEN",
        )
        return job, hosts

    def bundles_in_use(self) -> list[str]:
        """SHA-256 of every bundle that an unfinished deployment was prepared with, or that a rollback would need."""
        d = t.deployments.c
        g = t.groups.c
        good = sa.select(g.last_successful).where(g.last_successful.is_not(None), g.deleted_at.is_(None))
        wanted = sa.or_(d.status.in_(UNFINISHED), d.id.in_(good))
        with self._db.read() as tx:
            texts = tx.execute(sa.select(d.prepared).where(wanted, d.prepared.is_not(None))).scalars()
            bundles = (from_json(text, Stocked).bundle for text in texts)
            return [bundle.sha256 for bundle in bundles if bundle is not None]

    # Changes.

    def observe(self, repository: str, heads: Mapping[str, str], seen_by: SeenBy, now: dt.datetime) -> int:
        """Record which refs of a repository moved. Returns how many new changes there are."""
        with self._db.write() as tx:
            return changes.observe(tx, repository, heads, seen_by, now)

    def pending_changes(self, now: dt.datetime) -> list[Change]:
        with self._db.read() as tx:
            return changes.pending(tx, now)

    def next_change_at(self) -> dt.datetime | None:
        """When the next pending change is due to be looked at."""
        with self._db.read() as tx:
            return changes.next_attempt(tx)

    def considered_commits(self) -> dict[str, str]:
        """For every application, the last commit that was judged for it."""
        c = t.applications.c
        with self._db.read() as tx:
            rows = tx.execute(sa.select(c.name, c.considered_commit).where(c.considered_commit.is_not(None)))
            return {row.name: row.considered_commit for row in rows}

    def act(
        self,
        change: Change,
        considered: Sequence[Manifest],
        wanted: Sequence[tuple[Manifest, Revision]],
        now: dt.datetime,
        *,
        message: str,
    ) -> list[str]:
        """Turn a pending change into deployments, once: all of them and the change's new status in one transaction.

        *considered*: applications that the change was judged for; *wanted*: those to deploy, with their pinned revision.
        Returns the deployments' IDs; none when the change was acted on already.
        """
        with self._db.write() as tx:
            if not changes.settle(tx, change.id, "Acted" if wanted else "Ignored", message):
                return []
            creating.applications(tx, considered, change.repository, now)
            creating.consider(tx, considered, change.commit_id)
            ledger, made = Ledger(tx, now), []
            for manifest, revision in wanted:
                made += creating.release(
                    tx,
                    ledger,
                    manifest,
                    revision,
                    manifest.groups,
                    change_id=change.id,
                    creator="CodeDeploy",
                    options=Options(),
                    now=now,
                )
            ledger.write()
            return made

    def settle_change(self, change_id: int, status: ChangeStatus, message: str) -> None:
        """A change that leads to nothing: Refused with its mistakes, or Ignored."""
        with self._db.write() as tx:
            changes.settle(tx, change_id, status, message)

    def postpone_change(self, change_id: int, message: str, until: dt.datetime) -> None:
        with self._db.write() as tx:
            changes.postpone(tx, change_id, message, until)

    def repository_went(self, state: RepositoryState) -> None:
        """Remember how watching a repository goes."""
        values = {"last_seen_at": state.last_seen_at, "failures": state.failures, "last_error": state.last_error}
        same = t.repositories.c.name == state.name
        with self._db.write() as tx:
            if tx.execute(t.repositories.update().where(same).values(values)).rowcount == 0:
                tx.execute(t.repositories.insert().values(name=state.name, **values))

    # People's verbs.

    def create_releases(
        self, repository: str, wanted: Sequence[Wish], creator: Creator, options: Options, now: dt.datetime
    ) -> list[str]:
        """Deploy every wish of *repository*, or nothing when one of them is refused. Returns the deployments' IDs."""
        with self._db.write() as tx:
            ledger, made = Ledger(tx, now), []
            for wish in wanted:
                creating.applications(tx, [wish.manifest], repository, now)
                chosen = [each for each in wish.manifest.groups if not wish.groups or each.name in wish.groups]
                made += creating.release(
                    tx,
                    ledger,
                    wish.manifest,
                    wish.revision,
                    creating.without_absent_predecessors(chosen),
                    change_id=None,
                    creator=creator,
                    options=options,
                    now=now,
                )
            ledger.write()
            return made

    def create_again(self, like: Deployment, options: Options, now: dt.datetime) -> str:
        """A new deployment of *like*'s revision to its group, with the group's present settings."""
        with self._db.write() as tx:
            settings = _for_revision_of(like, self._group_settings(tx, like.application, like.group))
            ledger = Ledger(tx, now)
            made = creating.deployment(
                tx,
                ledger,
                application=like.application,
                settings=creating.without_absent_predecessors([settings])[0],
                revision=like.revision,
                pinned=like.pinned,
                appspec=like.appspec,
                creator="user",
                options=options,
                now=now,
            )
            ledger.write()
            return made

    def create_restoring(self, ended: Deployment, now: dt.datetime) -> str:
        """A new deployment that gives the traffic back as it was before *ended*. Where the original fleet of servers is
        gone, the replacement gets the earlier revision. Raises `DeploymentAlreadyCompleted`."""
        with self._db.write() as tx:
            ledger = Ledger(tx, now)
            good = replaced_by(tx, ended) or (ended if gives_back_traffic(tx, ended) else None)
            if good is None:
                raise DeploymentAlreadyCompleted(
                    f"there is nothing to go back to: the original of {ended.id} has been ended, and nothing was deployed "
                    f"successfully to {ended.place} before"
                )
            made = way_back(tx, ledger, ended, good, now, creator="user", status=DeploymentStatus.CREATED)
            ledger.write()
            return made

    def is_last(self, deployment_id: str) -> bool:
        """Whether nothing else has begun in its group since, but for its own way back."""
        with self._db.read() as tx:
            return rerouting.is_last(tx, deployment_id)

    def request_stop(self, deployment_id: str, now: dt.datetime, *, rollback: bool | None) -> Deployment:
        """Ask for a stop; the driver carries it out. Raises `DeploymentAlreadyCompleted`."""
        d = t.deployments
        with self._db.write() as tx:
            deployment = self._get(tx, deployment_id)
            if deployment.status.is_terminal and deployment.status is not DeploymentStatus.STOPPED:
                raise DeploymentAlreadyCompleted(f"{deployment_id} has already {_ended(deployment.status)}")
            if not deployment.status.is_terminal and not deployment.stop_requested:
                values = {"stop_requested": True, "stop_rollback": rollback, "dirty": True}
                tx.execute(d.update().where(d.c.id == deployment_id).values(values))
                ledger = Ledger(tx, now)
                ledger.note(deployment_id, "stop requested", rollback=rollback)
                ledger.write()
            return self._get(tx, deployment_id)

    def request_continue(self, deployment_id: str, now: dt.datetime) -> Deployment:
        """End the wait (a hold or a bake) that a deployment is in. Raises `DeploymentIsNotInReadyState`."""
        d = t.deployments
        with self._db.write() as tx:
            deployment = self._get(tx, deployment_id)
            if deployment.status.is_terminal:
                raise DeploymentAlreadyCompleted(f"{deployment_id} has already {_ended(deployment.status)}")
            if deployment.waiting_until is None:
                reason = f"it waits for {deployment.waiting_for}" if deployment.waiting_for else "it is under way"
                raise DeploymentIsNotInReadyState(f"{deployment_id} is in no wait that could be cut short: {reason}")
            tx.execute(d.update().where(d.c.id == deployment_id).values(continue_requested=True, dirty=True))
            ledger = Ledger(tx, now)
            ledger.note(deployment_id, "continue requested")
            ledger.write()
            return deployment

    # Reading.

    def deployment(self, deployment_id: str) -> Deployment:
        """Raises `DeploymentDoesNotExist`."""
        with self._db.read() as tx:
            return self._get(tx, deployment_id)

    def deployments(
        self,
        *,
        application: str | None = None,
        group: str | None = None,
        statuses: Sequence[DeploymentStatus] = (),
        release_id: int | None = None,
        limit: int | None = None,
    ) -> list[Deployment]:
        """Deployments, newest first."""
        d = t.deployments.c
        where = [
            *([d.application == application] if application else []),
            *([d.group_name == group, d.group_id.not_in(_deleted_groups())] if group else []),
            *([d.status.in_(statuses)] if statuses else []),
            *([d.release_id == release_id] if release_id is not None else []),
        ]
        with self._db.read() as tx:
            return reading.deployments(tx, *where, limit=limit)

    def ids_beginning(self, prefix: str, limit: int = 5) -> list[str]:
        """IDs of deployments that begin with *prefix*, newest first."""
        d = t.deployments.c
        query = sa.select(d.id).where(d.id.startswith(prefix, autoescape=True)).order_by(d.number.desc())
        with self._db.read() as tx:
            return list(tx.execute(query.limit(limit)).scalars())

    def known(self, ids: Collection[str]) -> set[str]:
        """Those of *ids* that are deployments."""
        with self._db.read() as tx:
            return set(tx.execute(sa.select(t.deployments.c.id)).scalars()).intersection(ids)

    def targets(self, deployment_id: str) -> list[Target]:
        """The targets of a deployment, in deployment order; none before it has begun."""
        with self._db.read() as tx:
            return reading.targets(tx, deployment_id, self._events_of(tx, deployment_id))

    def events(self, deployment_id: str) -> tuple[str, ...]:
        """The lifecycle events of a deployment, in order; they never change. Cheap when asked again."""
        if not self._events.get(deployment_id):  # what moves traffic has none before it begins
            with self._db.read() as tx:
                self._events[deployment_id] = self._events_of(tx, deployment_id)
        return self._events[deployment_id]

    def journal(self, deployment_id: str) -> list[Entry]:
        with self._db.read() as tx:
            return reading.entries(tx, t.journal.c.deployment_id == deployment_id)

    def journal_after(self, entry_id: int, limit: int = 1000) -> list[Entry]:
        """Entries of all deployments that were written after the one with that store-wide ID."""
        with self._db.read() as tx:
            return reading.entries(tx, t.journal.c.id > entry_id, limit=limit)

    def last_entry_id(self) -> int:
        with self._db.read() as tx:
            return int(tx.execute(sa.select(sa.func.coalesce(sa.func.max(t.journal.c.id), 0))).scalar_one())

    def last_successful(self, application: str, group: str) -> Deployment | None:
        with self._db.read() as tx:
            return last_successful(tx, self._group(tx, application, group).id)

    def live(self, application: str, group: str) -> Live | None:
        """The fleet of servers that has the traffic, where one has replaced another."""
        c = t.groups.c
        with self._db.read() as tx:
            same = (c.application == application) & (c.name == group)
            group_id = tx.execute(sa.select(c.id).where(same)).scalar_one_or_none()
            return live_of(tx, group_id) if group_id else None

    def groups(self, application: str) -> list[str]:
        """Names of an application's groups, in the manifest's order. Raises `ApplicationDoesNotExist`."""
        c = t.groups.c
        with self._db.read() as tx:
            found = (
                tx.execute(
                    sa.select(c.name)
                    .where(c.application == application, c.deleted_at.is_(None))
                    .order_by(c.position, c.name)
                )
                .scalars()
                .all()
            )
        if not found:
            raise ApplicationDoesNotExist(f"no application {application} is known here; `penstock status` lists them")
        return list(found)

    def instance_health(self, application: str, group: str) -> list[InstanceHealth]:
        """What is known of the hosts of a group; empty where the group is not known yet."""
        c = t.groups.c
        with self._db.read() as tx:
            same = (c.application == application) & (c.name == group)
            group_id = tx.execute(sa.select(c.id).where(same)).scalar_one_or_none()
            return reading.instance_health(tx, group_id) if group_id else []

    def changes(self, *statuses: ChangeStatus, limit: int = 50) -> list[ChangeState]:
        with self._db.read() as tx:
            return changes.states(tx, *statuses, limit=limit)

    def state(self) -> State:
        """Everything at a glance."""
        o = t.outbox.c
        with self._db.read() as tx:
            g = t.groups.c
            rows = tx.execute(
                sa.select(t.groups).where(g.deleted_at.is_(None)).order_by(g.application, g.position, g.name)
            ).all()
            return State(
                groups=tuple(_group_state(tx, row) for row in rows),
                changes=tuple(changes.states(tx, "Pending", "Refused", limit=20)),
                repositories=tuple(
                    RepositoryState(**row._mapping)
                    for row in tx.execute(sa.select(t.repositories).order_by(t.repositories.c.name))
                ),
                undelivered=tx.execute(sa.select(sa.func.count()).where(o.status != "Sent")).scalar_one(),
                undelivered_to=tuple(undelivered_to(tx)),
                deliveries=tuple(delivery_states(tx)),
                webhooks=tuple(webhook_states(tx)),
                pull_requests=tuple(preview_states(tx)),
            )

    def _events_of(self, tx: sa.Connection, deployment_id: str) -> tuple[str, ...]:
        return reading.events_of(tx, self._pipeline, deployment_id)

    def _get(self, tx: sa.Connection, deployment_id: str) -> Deployment:
        found = reading.deployments(tx, t.deployments.c.id == deployment_id)
        if not found:
            raise DeploymentDoesNotExist(f"no deployment {deployment_id} is known here; `penstock list` shows them")
        return found[0]

    def _group(self, tx: sa.Connection, application: str, group: str) -> sa.Row[tuple[object, ...]]:
        c = t.groups.c
        row = tx.execute(sa.select(t.groups).where(c.application == application, c.name == group)).first()
        if row is None:
            raise DeploymentGroupDoesNotExist(f"no deployment group {application}/{group} is known here")
        return row

    def _group_settings(self, tx: sa.Connection, application: str, group: str) -> GroupSettings:
        return from_json(self._group(tx, application, group).settings, GroupSettings)


def _for_revision_of(like: Deployment, settings: GroupSettings) -> GroupSettings:
    """What the templates of a task definition may use belongs to the revision, not to what the group is now."""
    if settings.service is None or like.settings.service is None:
        return settings
    service = msgspec.structs.replace(settings.service, names=like.settings.service.names)
    return msgspec.structs.replace(settings, service=service)


def _prepare(tx: sa.Connection, deployment: Deployment) -> Prepare:
    rollback = to_json(deployment.rollback) if deployment.rollback else None
    return prepare_action(tx, deployment, rollback)


def _deleted_groups() -> sa.Select[tuple[str]]:
    """Their deployments are history: of a group that is made again under the name they are none."""
    return sa.select(t.groups.c.id).where(t.groups.c.deleted_at.is_not(None))


def _ended(status: DeploymentStatus) -> str:
    return {DeploymentStatus.STOPPED: "been stopped"}.get(status, status.lower())


def _group_state(tx: sa.Connection, row: sa.Row[tuple[object, ...]]) -> GroupState:
    d = t.deployments.c
    recent = reading.deployments(tx, d.group_id == row.id, d.status.in_(UNFINISHED), d.creator.not_in(BESIDE))
    last = reading.deployments(tx, d.group_id == row.id, limit=1)
    good = last_successful(tx, row.id)
    return GroupState(
        application=row.application,
        group=row.name,
        current=good.revision if good else None,
        current_since=good.completed_at if good else None,
        active=next((deployment for deployment in recent if deployment.status.is_active), None),
        waiting=tuple(deployment for deployment in recent if deployment.status is DeploymentStatus.CREATED),
        last=last[0] if last else None,
        hosts=tuple(reading.instance_health(tx, row.id)),
    )
