"""The reconciling transaction for two fleets of servers: apply what `walk_fleets` says. See `runner.store.advance`."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from runner.errors import UserError
from runner.model.command import FleetTask
from runner.model.deployment import DeploymentStatus, ErrorInformation, Options
from runner.model.fleets import Label
from runner.model.manifest import GroupSettings
from runner.model.program import Act
from runner.model.target import EventStatus, Host, InstanceHealth, TargetStatus
from runner.model.value import from_json, to_json
from runner.model.work import WHOLE_FLEET, Action, EventEnded, PreparedFleets, RunFleet
from runner.plan.batches import deployment_order
from runner.plan.fleets import TERMINATE, FleetProgram, check_fleets, compile_fleets
from runner.plan.lifecycle import server_blue_green
from runner.plan.walk_fleets import FleetMove, FleetTarget, FleetView, walk_fleets
from runner.store import reading
from runner.store import tables as t
from runner.store.ending import end_deployment
from runner.store.event_rows import EventRows, told
from runner.store.ledger import Ledger
from runner.store.letters import post_about_deployment
from runner.store.live import set_live
from runner.store.rerouting import check_last, rerouting
from runner.store.stock import FleetStock
from runner.store.walking import words

_PROVISION_FAILED = "INTERNAL_ERROR"  # where the platform has no better word


def begin(tx: sa.Connection, ledger: Ledger, row: Any, prepared: PreparedFleets, now: dt.datetime) -> None:
    """From Queued to InProgress, or to Failed when the rollout cannot be had with so many hosts, or not any more."""
    settings = from_json(row.settings, GroupSettings)
    restoring = rerouting(tx, row.rollback) is not None
    try:
        if restoring:
            check_last(tx, row.rollback)
        else:
            check_fleets(settings.rollout, len(prepared.green))
    except UserError as error:
        failed = ErrorInformation(code=error.code, message=error.message)
        end_deployment(tx, ledger, row.id, DeploymentStatus.FAILED, failed, now)
        return
    pipeline = server_blue_green()
    program = compile_fleets(settings, pipeline, restoring=restoring, has_original=bool(prepared.blue))
    insert_hosts(tx, row, "Green", prepared.green)
    insert_hosts(tx, row, "Blue", prepared.blue)
    stock = FleetStock(
        bundle=prepared.bundle,
        appspec=prepared.appspec,
        appspec_file=prepared.appspec_file,
        original=prepared.original,
        replacement=prepared.replacement,
    )
    d, g = t.deployments, t.groups
    values = {
        "status": DeploymentStatus.IN_PROGRESS,
        "waiting_for": None,
        "started_at": now,
        "plan": to_json(program),
        "prepared": to_json(stock),
        "pinned": to_json(prepared.pinned) if prepared.pinned else row.pinned,
        "dirty": True,
    }
    tx.execute(d.update().where(d.c.id == row.id).values(values))
    if not restoring:
        of_group = g.update().where(g.c.id == row.group_id)
        tx.execute(of_group.values(target_revision=row.revision, last_attempted=row.id))
    number = len(prepared.green) + len(prepared.blue)
    ledger.note(row.id, "deployment started", configuration=program.configuration, targets=number)
    post_about_deployment(tx, reading.deployments(tx, d.c.id == row.id)[0], "DeploymentStart", now)


def insert_hosts(tx: sa.Connection, row: Any, label: Label, hosts: Sequence[Host]) -> None:
    """In deployment order, behind those that are there. Green ones that are there already are left alone."""
    c = t.targets.c
    there = set(tx.execute(sa.select(c.target).where(c.deployment_id == row.id)).scalars())
    by_name = {host.name: host for host in hosts if host.name not in there}
    known = {health.target: health for health in reading.instance_health(tx, row.group_id)}
    order = deployment_order(known.get(name, InstanceHealth(target=name)) for name in by_name)
    if not order:
        return
    tx.execute(
        t.targets.insert(),
        [
            {
                "deployment_id": row.id,
                "target": health.target,
                "position": position,
                "healthy": health.healthy,
                "host": to_json(by_name[health.target]),
                "label": label,
                "status": TargetStatus.PENDING,
                "event_status": EventStatus.PENDING,
            }
            for position, health in enumerate(order, start=len(there))
        ],
    )


class FleetWalker:
    """One look at one deployment under way. `actions` are for the driver, once all is durable."""

    def __init__(self, tx: sa.Connection, ledger: Ledger, row: Any, now: dt.datetime) -> None:
        self._tx, self._ledger, self._row, self._now = tx, ledger, row, now
        self._program = from_json(row.plan, FleetProgram)
        self._act = EventStatus(row.act or EventStatus.PENDING)
        self._failure = from_json(row.error, ErrorInformation) if row.error else None
        self.actions: list[Action] = []

    def look(self, results: Iterable[object], *, draining: bool) -> None:
        """Record *results*, and move on unless *draining*."""
        ended = [result for result in results if isinstance(result, EventEnded)]
        for result in ended:
            if result.target == WHOLE_FLEET:
                self._record_act(result)
        rows = EventRows(self._tx, self._ledger, self._row.id, self._now, self._program.events_of)
        for result in ended:
            rows.record(result)
        if draining:
            rows.write()
            self._set(dirty=True)
            return
        view = self._view(rows)
        self._take(walk_fleets(view), view, rows)

    def _record_act(self, result: EventEnded) -> None:
        if self._act is not EventStatus.IN_PROGRESS or result.event != self._row.step:
            return
        outcome, act = result.outcome, self._program.steps[self._row.step]
        assert isinstance(act, Act)
        self._act = EventStatus.SUCCEEDED if outcome.succeeded else EventStatus.FAILED
        self._set(act=self._act)
        if outcome.succeeded:
            insert_hosts(self._tx, self._row, "Green", outcome.hosts)
        else:
            message = f"{act.event}: {outcome.diagnostics.message}"
            self._failure = ErrorInformation(code=outcome.code or _PROVISION_FAILED, message=message)
            self._set(error=to_json(self._failure))  # another process may be the one that ends it
        self._ledger.note(
            self._row.id,
            f"{act.event.lower()} {self._act.lower()}",
            hosts=len(outcome.hosts) or None,
            message=outcome.diagnostics.message or None,
        )

    def _view(self, rows: EventRows) -> FleetView:
        row = self._row
        return FleetView(
            now=self._now,
            program=self._program,
            rollout=from_json(row.settings, GroupSettings).rollout,
            targets=tuple(
                FleetTarget(
                    id=target.target,
                    label=target.label or "",
                    healthy=target.healthy,
                    status=target.status,
                    event=target.event,
                    event_status=target.event_status,
                )
                for target in rows.targets.values()
            ),
            started_at=row.started_at,
            step=row.step,
            act=self._act,
            failure=self._failure,
            batch=row.batch or 0,
            hold_until=row.hold_until,
            stop_requested=row.stop_requested,
            continue_requested=row.continue_requested,
            alarm=from_json(row.alarm, ErrorInformation) if row.alarm else None,
            ignore_application_stop_failures=from_json(row.options, Options).ignore_application_stop_failures,
        )

    def _take(self, move: FleetMove, view: FleetView, rows: EventRows) -> None:
        row = self._row
        for ending in move.ended:
            rows.end(ending)
        for start in move.started:
            label = rows.targets[start.target].label
            rows.start(start, is_last=self._program.ends_stage(label, start.event))
        becomes_ready = move.wait == "ready" and row.wait != "ready"
        ready = self._ready(rows) if becomes_ready else []
        rows.write()
        self.actions += rows.actions
        self._note_waits(move)
        if row.step < self._program.serving <= move.step:
            stock = from_json(row.prepared, FleetStock)
            set_live(self._tx, row.group_id, stock.original if self._program.restoring else stock.replacement)
        self._set(**self._values(move, view))
        if move.start:
            self._start(move.step)
        rows.tell(row, [*told(move.started, move.ended), ("InstanceReady", ready)])
        if becomes_ready:
            of = reading.deployments(self._tx, t.deployments.c.id == row.id)[0]
            post_about_deployment(self._tx, of, "DeploymentReady", self._now)
        if move.status is not None:
            args = (self._tx, self._ledger, row.id, move.status, move.error, self._now)
            end_deployment(*args, reversible=not self._failed_to_end_the_original())

    def _failed_to_end_the_original(self) -> bool:
        """Then the replacement serves well, and stays."""
        act = self._program.steps[self._row.step] if self._failure else None
        return isinstance(act, Act) and act.event == TERMINATE

    def _values(self, move: FleetMove, view: FleetView) -> dict[str, Any]:
        row = self._row
        stays = move.step == row.step and move.batch == (row.batch or 0)
        times = [move.hold_until, None if self._now >= view.deadline else view.deadline]
        return {
            "status": DeploymentStatus.READY if move.wait == "ready" else DeploymentStatus.IN_PROGRESS,
            "step": move.step,
            "act": EventStatus.IN_PROGRESS if move.start else (self._act if stays and row.act else None),
            "batch": move.batch,
            "wait": move.wait,
            "hold_until": move.hold_until,
            "waiting_for": words(move.wait or ("hold" if move.hold_until else None)),
            "waiting_until": move.hold_until,
            "continue_requested": row.continue_requested and stays and not move.again,
            "wake_at": min((each for each in times if each is not None), default=None),
            "dirty": move.again,
        }

    def _ready(self, rows: EventRows) -> list[str]:
        """The hosts of the replacement that wait for traffic now."""
        waiting = [each for each in rows.targets.values() if each.label == "Green" and not each.status.is_terminal]
        for target in waiting:
            rows.set_status(target, TargetStatus.READY)
        return [target.target for target in waiting]

    def _start(self, step: int) -> None:
        act = self._program.steps[step]
        assert isinstance(act, Act)
        self._ledger.note(self._row.id, f"{act.event.lower()} started")
        self.actions.append(_action(self._tx, self._row, step))

    def _note_waits(self, move: FleetMove) -> None:
        row, now = self._row, move.wait or ("hold" if move.hold_until else None)
        was = row.wait or ("hold" if row.hold_until else None)
        if was and (was, row.hold_until) != (now, move.hold_until) and not move.status:
            self._ledger.note(row.id, f"{was} ended", continued_on_request=row.continue_requested or None)
        if now and (was, row.hold_until) != (now, move.hold_until):
            until = move.hold_until.isoformat() if move.hold_until else None
            self._ledger.note(row.id, f"{now} started", until=until)

    def _set(self, **values: Any) -> None:
        d = t.deployments
        self._tx.execute(d.update().where(d.c.id == self._row.id).values(**values))


def is_restoring(tx: sa.Connection, deployment_id: str) -> bool:
    """Of a deployment that has begun."""
    d = t.deployments.c
    return from_json(tx.execute(sa.select(d.plan).where(d.id == deployment_id)).scalar_one(), FleetProgram).restoring


def in_flight(tx: sa.Connection) -> list[RunFleet]:
    """The acts that are recorded as begun and not as ended."""
    d = t.deployments
    query = sa.select(d).where(d.c.status == DeploymentStatus.IN_PROGRESS, d.c.act == EventStatus.IN_PROGRESS)
    return [_action(tx, row, row.step) for row in tx.execute(query.order_by(d.c.number))]


def _action(tx: sa.Connection, row: Any, step: int) -> RunFleet:
    program, c = from_json(row.plan, FleetProgram), t.targets.c
    act = program.steps[step]
    assert isinstance(act, Act)
    stock = from_json(row.prepared, FleetStock)
    blue = tx.execute(sa.select(c.host).where(c.deployment_id == row.id, c.label == "Blue").order_by(c.position))
    task = FleetTask(
        deployment_id=row.id,
        event=act.event,
        application=row.application,
        group=row.group_name,
        settings=from_json(row.settings, GroupSettings),
        original=stock.original,
        replacement=stock.replacement,
        hosts=tuple(from_json(host, Host) for host in blue.scalars()),
        restoring=program.restoring,
    )
    return RunFleet(deployment_id=row.id, event=step, task=task)
