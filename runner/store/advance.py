"""The reconciling transaction: record what ended, look at everything that needs a look, decide, record the intents.

This is the only place that moves deployments under way. What it returns may be done outside only after the transaction
is durable: intent before effect. A result counts only for the very attempt that is in flight; anything else is late and
changes nothing.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from runner.errors import HealthConstraintsInvalid, NoInstances
from runner.model.deployment import BESIDE, UNDER_WAY, Deployment, DeploymentStatus, ErrorInformation, Options
from runner.model.manifest import GroupSettings
from runner.model.target import EventStatus, Host, InstanceHealth, TargetStatus
from runner.model.value import from_json, to_json
from runner.model.work import (
    Action,
    Advance,
    EventEnded,
    PreparationDelayed,
    PreparationFailed,
    Prepare,
    Prepared,
    PreparedFleets,
    PreparedTraffic,
    Result,
)
from runner.plan.batches import RolloutPlan, compile_rollout, deployment_order
from runner.plan.decide import Decision, TargetView, View, deadline, decide
from runner.plan.lifecycle import Pipeline
from runner.plan.targets import outdated
from runner.plan.zones import zone_by_zone
from runner.store import beginning, fleets, reading, walking
from runner.store import tables as t
from runner.store.acts import undoing
from runner.store.admission import admit_next
from runner.store.ending import end_deployment
from runner.store.event_rows import EventRows, told
from runner.store.ledger import Ledger
from runner.store.letters import post_about_deployment
from runner.store.live import live_of
from runner.store.rerouting import rerouting
from runner.store.stock import Stock

CREATED, QUEUED, IN_PROGRESS = DeploymentStatus.CREATED, DeploymentStatus.QUEUED, DeploymentStatus.IN_PROGRESS

MAX_ROUNDS = 100  # in one transaction; a chain of deployments that end at once is never that long


def advance(
    tx: sa.Connection, results: Sequence[Result], pipeline: Pipeline, now: dt.datetime, *, draining: bool = False
) -> Advance:
    """Record *results*, then move on everything that is dirty or due. *pipeline*: has every deployment's events.

    *draining*: record only; what follows from it is left for the next process.
    """
    return _Reconciler(tx, pipeline, now).run(results, draining=draining)


def prepare_action(tx: sa.Connection, deployment: Deployment, rollback: str | None) -> Prepare:
    """*rollback*: its RollbackInfo, as it is kept."""
    return Prepare(
        deployment=deployment,
        undoing=undoing(tx, rollback),
        rerouting=rerouting(tx, rollback),
        live=live_of(tx, deployment.group_id),
    )


def _earlier(*times: dt.datetime | None) -> dt.datetime | None:
    return min((each for each in times if each is not None), default=None)


class _Reconciler:
    def __init__(self, tx: sa.Connection, pipeline: Pipeline, now: dt.datetime) -> None:
        self.tx, self.pipeline, self.now = tx, pipeline, now
        self.ledger = Ledger(tx, now)
        self.actions: list[Action] = []
        self.withdrawn: list[str] = []

    def run(self, results: Sequence[Result], *, draining: bool) -> Advance:
        by_deployment: dict[str, list[Result]] = {}
        for result in results:
            by_deployment.setdefault(result.deployment_id, []).append(result)
        for _round in range(MAX_ROUNDS):
            look = list(by_deployment) if draining else [*by_deployment, *self._needing_a_look(by_deployment)]
            if not look:
                break
            groups: dict[str, None] = {}
            for deployment_id in look:
                self._look(deployment_id, by_deployment.get(deployment_id, ()), groups, draining=draining)
            for group_id in groups:
                admit_next(self.tx, self.ledger, group_id, self.now)
            by_deployment = {}
        self.ledger.write()
        wake_at = self.tx.execute(sa.select(sa.func.min(t.deployments.c.wake_at))).scalar()
        return Advance(actions=tuple(self.actions), withdrawn=tuple(self.withdrawn), wake_at=wake_at)

    def _needing_a_look(self, known: Iterable[str]) -> list[str]:
        d = t.deployments.c
        query = sa.select(d.id).where(sa.or_(d.dirty, d.wake_at <= self.now), d.id.not_in(list(known)))
        return list(self.tx.execute(query.order_by(d.number)).scalars())

    def _look(self, deployment_id: str, results: Sequence[Result], groups: dict[str, None], *, draining: bool) -> None:
        row = self.tx.execute(sa.select(t.deployments).where(t.deployments.c.id == deployment_id)).first()
        if any(isinstance(result, PreparationDelayed) for result in results) and (row is None or row.status != QUEUED):
            self.withdrawn.append(deployment_id)
        if row is None:
            return  # it ended, and its application was deleted, while this result was on its way
        if row.status == CREATED:
            groups[row.group_id] = None
        elif row.status == QUEUED:
            self._queued(row, results)
        elif row.status in UNDER_WAY:
            self._under_way(row, results, draining=draining)
        else:
            self._set(deployment_id, dirty=False, wake_at=None)

    def _set(self, deployment_id: str, **values: Any) -> None:
        self.tx.execute(t.deployments.update().where(t.deployments.c.id == deployment_id).values(**values))

    def _end(self, deployment_id: str, status: DeploymentStatus, error: ErrorInformation | None) -> None:
        end_deployment(self.tx, self.ledger, deployment_id, status, error, self.now)

    # Queued: the bundle is fetched and the hosts are found; nothing has been touched.

    def _queued(self, row: Any, results: Sequence[Result]) -> None:
        if row.stop_requested:
            self._end(
                row.id, DeploymentStatus.STOPPED, ErrorInformation(code="MANUAL_STOP", message="stopped on request")
            )
            return None
        if row.alarm:
            return self._end(row.id, DeploymentStatus.STOPPED, from_json(row.alarm, ErrorInformation))
        for result in results:
            if isinstance(result, PreparationFailed):
                return self._end(row.id, DeploymentStatus.FAILED, result.error)
            if isinstance(result, Prepared):
                return self._begin(row, result)
            if isinstance(result, PreparedFleets):
                return fleets.begin(self.tx, self.ledger, row, result, self.now)
            if isinstance(result, PreparedTraffic):
                return beginning.begin(self.tx, self.ledger, row, result, self.now)
            if isinstance(result, PreparationDelayed):
                self._delay(row, f"what it needs: {result.message}")
        if not row.preparing:
            self._set(row.id, preparing=True, dirty=False)
            self.ledger.note(row.id, "preparation started")
            deployment = reading.deployments(self.tx, t.deployments.c.id == row.id)[0]
            self.actions.append(prepare_action(self.tx, deployment, row.rollback))
        else:
            self._set(row.id, dirty=False)
        return None

    def _delay(self, row: Any, reason: str) -> None:
        if row.waiting_for != reason:
            self._set(row.id, waiting_for=reason)
            self.ledger.note(row.id, "deployment waiting", reason=f"waits for {reason}")

    def _begin(self, row: Any, prepared: Prepared) -> None:
        deployment = reading.deployments(self.tx, t.deployments.c.id == row.id)[0]
        known = reading.instance_health(self.tx, row.group_id)
        hosts = prepared.hosts
        try:
            if deployment.options.update_outdated_instances_only:
                hosts = outdated(hosts, known, deployment.group)
            order, zones = self._order(deployment, hosts, known)
            plan = compile_rollout(deployment.settings.rollout, len(hosts), zones)
        except (HealthConstraintsInvalid, NoInstances) as error:
            self._end(row.id, DeploymentStatus.FAILED, ErrorInformation(code=error.code, message=error.message))
            return
        self.tx.execute(t.targets.insert(), self._target_rows(row, hosts, order))
        self._set(
            row.id,
            status=IN_PROGRESS,
            waiting_for=None,
            started_at=self.now,
            plan=to_json(plan),
            prepared=to_json(
                Stock(bundle=prepared.bundle, appspec=prepared.appspec, appspec_file=prepared.appspec_file)
            ),
            pinned=to_json(prepared.pinned) if prepared.pinned else row.pinned,
            dirty=True,
        )
        if row.creator not in BESIDE:
            self.tx.execute(
                t.groups.update()
                .where(t.groups.c.id == row.group_id)
                .values(target_revision=row.revision, last_attempted=row.id)
            )
        self.ledger.note(row.id, "deployment started", configuration=plan.configuration, targets=plan.total)
        post_about_deployment(self.tx, deployment, "DeploymentStart", self.now)

    def _order(
        self, deployment: Deployment, hosts: Sequence[Host], healths: Sequence[InstanceHealth]
    ) -> tuple[list[InstanceHealth], list[int]]:
        """The hosts in deployment order, and how many are in each zone. A rollback does not go zone by zone."""
        known = {health.target: health for health in healths}
        zones = {host.name: host.zone for host in hosts}
        order = deployment_order(known.get(name, InstanceHealth(target=name)) for name in zones)
        if deployment.creator == "codeDeployRollback":
            return order, []
        return zone_by_zone(order, zones, deployment.settings.rollout)

    def _target_rows(self, row: Any, hosts: Sequence[Host], order: Sequence[InstanceHealth]) -> list[dict[str, Any]]:
        by_name = {host.name: host for host in hosts}
        return [
            {
                "deployment_id": row.id,
                "target": health.target,
                "position": position,
                "healthy": health.healthy,
                "host": to_json(by_name[health.target]),
                "status": TargetStatus.PENDING,
                "event_status": EventStatus.PENDING,
            }
            for position, health in enumerate(order)
        ]

    # InProgress: lifecycle events run on targets, or acts on the one whose traffic moves.

    def _under_way(self, row: Any, results: Sequence[Result], *, draining: bool) -> None:
        settings = from_json(row.settings, GroupSettings)
        if settings.platform == "Server" and settings.green is not None:
            fleet_walker = fleets.FleetWalker(self.tx, self.ledger, row, self.now)
            fleet_walker.look(results, draining=draining)
            self.actions += fleet_walker.actions
            return
        if settings.platform == "Server":
            self._in_progress(row, results, draining=draining)
            return
        walker = walking.Walker(self.tx, self.ledger, row, self.now)
        walker.look(results, draining=draining)
        self.actions += walker.actions
        self.withdrawn += walker.withdrawn

    def _in_progress(self, row: Any, results: Sequence[Result], *, draining: bool) -> None:
        events = self.pipeline.of(from_json(row.settings, GroupSettings))
        rows = EventRows(self.tx, self.ledger, row.id, self.now, lambda label: events)
        for result in results:
            if isinstance(result, EventEnded):
                rows.record(result)
        if draining:
            self._set(row.id, dirty=True)
            rows.write()
            return
        view = self._view(row, events, rows)
        decision = decide(view)
        for ending in decision.ended:
            rows.end(ending)
        for start in decision.started:
            rows.start(start)
        self.actions += rows.actions
        self._note_steps(row, decision)
        rows.write()
        rows.tell(row, told(decision.started, decision.ended))
        moved_on = decision.step != row.step
        self._set(
            row.id,
            step=decision.step,
            hold_until=decision.hold_until,
            wake_at=_earlier(decision.hold_until, None if view.is_late else view.deadline),
            waiting_for="the hold to end" if decision.hold_until else None,
            waiting_until=decision.hold_until,
            continue_requested=row.continue_requested and not moved_on,
            dirty=False,
        )
        if decision.status:
            self._end(row.id, decision.status, decision.error)

    def _view(self, row: Any, events: tuple[str, ...], rows: EventRows) -> View:
        plan = from_json(row.plan, RolloutPlan)
        return View(
            now=self.now,
            events=events,
            plan=plan,
            targets=tuple(
                TargetView(
                    id=target.target,
                    healthy=target.healthy,
                    status=target.status,
                    event=target.event,
                    event_status=target.event_status,
                )
                for target in rows.targets.values()
            ),
            step=row.step,
            hold_until=row.hold_until,
            deadline=deadline(row.started_at, plan),
            stop_requested=row.stop_requested,
            continue_requested=row.continue_requested,
            alarm=from_json(row.alarm, ErrorInformation) if row.alarm else None,
            ignore_application_stop_failures=from_json(row.options, Options).ignore_application_stop_failures,
        )

    def _note_steps(self, row: Any, decision: Decision) -> None:
        if decision.hold_until and decision.hold_until != row.hold_until:
            self.ledger.note(row.id, "hold started", until=decision.hold_until.isoformat())
        if row.hold_until and not decision.hold_until and not decision.status:
            self.ledger.note(row.id, "hold ended", continued_on_request=row.continue_requested or None)
