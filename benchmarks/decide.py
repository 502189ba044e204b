"""Results of lifecycle events recorded and decided upon per second: the store alone, without hosts and without a driver."""

import datetime as dt
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Sample, Table, Take, in_turns
from benchmarks.recorded import BUNDLE, record
from benchmarks.site import folder
from runner.model.appspec import AppSpec
from runner.model.command import Outcome
from runner.model.target import Diagnostics, Host
from runner.model.work import Action, EventEnded, Prepared, Result, RunEvent
from runner.plan.lifecycle import server_in_place
from runner.store.store import Store

RUNS = 5
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ADVANCES = 20  # of a small batch; a whole rollout would measure the same for longer


class Size(NamedTuple):
    """*batch*: how many results come together, and share one transaction."""

    hosts: int
    batch: int

    @property
    def name(self) -> str:
        return f"{self.hosts:,} hosts, {self.batch:,} results a transaction"

    @property
    def floor(self) -> str:
        return f"the rows of {self.name}"

    @property
    def events(self) -> int:
        return self.batch if self.batch == self.hosts else self.batch * ADVANCES


def measure(runs: int, *, small: bool = False) -> Table:
    sizes = [Size(20, 20)] if small else [Size(1000, 1000), Size(1000, 20), Size(5000, 5000), Size(5000, 20)]
    with folder() as place:
        rows = in_turns([take for size in sizes for take in (_floor(size, place), _case(size, place))], runs)
    return Table(
        title="decide",
        about="Every result ends one lifecycle event on one host and lets the next begin. The floor writes the same "
        "rows (two of lifecycle_events, one of targets, two of the journal per result) by plain sqlite3, as durably, "
        "in as many transactions.",
        rows=rows,
        floors={size.name: size.floor for size in sizes},
        counts={"results/s": {name: size.events for size in sizes for name in (size.name, size.floor)}},
    )


def _case(size: Size, place: Path) -> Take:
    def take() -> dict[str, Sample]:
        store = Store(place / f"store-{time.monotonic_ns()}", server_in_place())
        batches = list(_batches(_under_way(store, size.hosts), size))
        began = _Clock()
        for batch in batches:
            store.advance(batch, NOW)
        sample = began.sample()
        store.close()
        return {size.name: sample}

    return take


def _under_way(store: Store, hosts: int) -> list[Action]:
    """A deployment whose first lifecycle event runs on every host."""
    made = record(store, NOW)
    store.advance([], NOW)
    prepared = Prepared(
        deployment_id=made,
        bundle=BUNDLE,
        appspec=AppSpec(),
        hosts=tuple(Host(name=f"host-{number:05}", folder="/host") for number in range(hosts)),
    )
    return list(store.advance([prepared], NOW).actions)


def _batches(actions: list[Action], size: Size) -> Iterable[list[Result]]:
    events = [_ended(action) for action in actions if isinstance(action, RunEvent)][: size.events]
    for at in range(0, len(events), size.batch):
        yield events[at : at + size.batch]


def _ended(action: RunEvent) -> Result:
    return EventEnded(
        deployment_id=action.deployment_id,
        target=action.target,
        event=action.event,
        attempt=action.attempt,
        outcome=Outcome(succeeded=True, diagnostics=Diagnostics()),
    )


def _floor(size: Size, place: Path) -> Take:
    def take() -> dict[str, Sample]:
        database = _database(place / f"floor-{time.monotonic_ns()}.db", size.hosts)
        hosts = [(f"host-{number:05}",) for number in range(min(size.events, size.hosts))]
        began = _Clock()
        for at in range(0, len(hosts), size.batch):
            _write(database, hosts[at : at + size.batch])
        sample = began.sample()
        database.close()
        return {size.floor: sample}

    return take


def _database(file: Path, hosts: int) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None)
    database.executescript("""
        PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        CREATE TABLE targets (deployment_id, target, status, event, event_status, attempt, updated_at,
            PRIMARY KEY (deployment_id, target)) WITHOUT ROWID;
        CREATE TABLE lifecycle_events (deployment_id, target, event, name, attempt, status, started_at, ended_at,
            diagnostics, PRIMARY KEY (deployment_id, target, event)) WITHOUT ROWID;
        CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, deployment_id, sequence, at, kind, target,
            lifecycle_event, attempt, details, previous_hash, hash);
    """)
    database.execute("BEGIN")
    names = [(f"host-{number:05}",) for number in range(hosts)]
    database.executemany("INSERT INTO targets VALUES ('d', ?, 'InProgress', 0, 'InProgress', 1, '')", names)
    begun = "INSERT INTO lifecycle_events VALUES ('d', ?, 0, 'ApplicationStop', 1, 'InProgress', '', NULL, NULL)"
    database.executemany(begun, names)
    database.execute("COMMIT")
    return database


def _write(database: sqlite3.Connection, hosts: list[tuple[str]]) -> None:
    at, hashes = NOW.isoformat(), f"'{64 * '0'}', '{64 * '0'}'"
    journal = f"INSERT INTO journal VALUES (NULL, 'd', 1, '{at}', 'an event', ?, 'Install', 1, '{{}}', {hashes})"
    ended = f"UPDATE lifecycle_events SET status = 'Succeeded', ended_at = '{at}', diagnostics = '{{}}'"
    moved = f"UPDATE targets SET event = 1, event_status = 'InProgress', attempt = 1, updated_at = '{at}'"
    database.execute("BEGIN IMMEDIATE")
    database.executemany(f"{ended} WHERE deployment_id = 'd' AND target = ? AND event = 0", hosts)
    next_event = f"INSERT INTO lifecycle_events VALUES ('d', ?, 1, 'Install', 1, 'InProgress', '{at}', NULL, NULL)"
    database.executemany(next_event, hosts)
    database.executemany(f"{moved} WHERE deployment_id = 'd' AND target = ?", hosts)
    for _ in range(2):
        database.executemany(journal, hosts)
    database.execute("COMMIT")


class _Clock:
    """Wall and CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def sample(self) -> Sample:
        return Sample(time.perf_counter() - self._wall, time.process_time() - self._cpu)
