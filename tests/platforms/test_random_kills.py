"""Hundreds of kills and broken connections, at random points of whole deployments: nothing that completed happens twice.

The hooks tell themselves what they did, in files of their own: the executor's journal is not asked.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from host_cases import EVENTS, Machine, appspec, commands, job
from processes import children_of, kill

from runner.model.appspec import Script
from runner.model.command import Job
from runner.model.target import Host
from runner.platforms.server.connection import Connection
from runner.platforms.server.transport import LocalTransport

KILLS = 300
HOSTS = 8  # deployed to side by side
MOST_PER_EVENT = 3  # after each failure in a row the control side waits twice as long
SEED = 20261123
HOOK = 'say() {{ echo "$LIFECYCLE_EVENT {0} $1" >> "$PENSTOCK_ROOT/trace"; }}; say begin; {1}say end'
SCRIPTS = {
    "a.sh": HOOK.format("a", ""),
    "b.sh": HOOK.format("b", "sleep 0.03; "),
    "c.sh": HOOK.format("c", "sleep 0.01; "),
}
HOOKS: dict[str, list[str | Script]] = {
    "BeforeInstall": ["a.sh", "b.sh"],
    "AfterInstall": ["b.sh", "c.sh", "a.sh"],
    "ApplicationStart": ["c.sh"],
    "ValidateService": ["a.sh", "b.sh"],
}
TRACE = [
    f"{event} {str(script).removesuffix('.sh')} {moment}"
    for event in EVENTS
    for script in HOOKS.get(event, [])
    for moment in ("begin", "end")
]


class BreakableTransport(LocalTransport):
    """Local hosts, with connections that can be cut under whoever uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Connection] = []

    async def connect(self, host: Host) -> Connection:
        self.opened.append(await super().connect(host))
        return self.opened[-1]


class Killer:
    """Does its worst to one machine, again and again, after random moments; counts what it hit."""

    def __init__(self, transport: BreakableTransport, chooser: random.Random) -> None:
        self._transport, self._chooser = transport, chooser
        self.hits = 0

    async def work(self) -> None:
        """Strike a few times at most, as long as one lifecycle event takes."""
        ways: list[Callable[[], int]] = [self._a_session, self._a_session, self._all, self._connection]
        for _ in range(self._chooser.randint(1, MOST_PER_EVENT)):
            await asyncio.sleep(self._chooser.uniform(0, 0.06))
            self.hits += self._chooser.choice(ways)()

    def _a_session(self) -> int:
        hub = self._transport.hub_pid
        return sum(kill(session, parent=hub) for session in children_of(hub)[:1])

    def _all(self) -> int:
        """All Python of this machine's executor, at once; the shells of the scripts are not Python, and stay."""
        hub = self._transport.hub_pid
        if hub is None:
            return 0
        hit = sum(kill(session, parent=hub) for session in children_of(hub))
        return hit + kill(hub, parent=os.getpid())

    def _connection(self) -> int:
        if not self._transport.opened:
            return 0
        connection = self._transport.opened.pop()
        cut(connection)
        return 1


def cut(connection: Connection) -> None:
    """Break it without a word, as a network does."""
    connection._writer.transport.abort()  # type: ignore[attr-defined]


@pytest.fixture
async def machines(tmp_path: Path) -> AsyncIterator[list[Machine]]:
    made = []
    for number in range(HOSTS):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        made.append(Machine(folder))
        made[-1].platform = made[-1].another_platform(BreakableTransport())
    yield made
    for machine in made:
        await machine.close()


def revision(number: int) -> dict[str, str]:
    """36 files, of which every revision has some that the one before had not."""
    folders = ("a", "b", f"c{number % 3}")
    return {f"app/{folder}/{name}": f"{number} {folder} {name}" * 50 for folder in folders for name in "0123456789AB"}


def a_job(machine: Machine, number: int) -> Job:
    return job(machine.bundle(SCRIPTS | revision(number)), appspec({"app": "/srv/app"}, HOOKS), f"d-{number}")


def installed(machine: Machine) -> dict[str, str]:
    top = machine.root / "srv"
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


async def deploy_under_fire(machine: Machine, number: int, chooser: random.Random) -> int:
    """One deployment, with its killer at work; everything that has to hold afterwards holds. Returns the hits."""
    transport = machine.platform._transport
    assert isinstance(transport, BreakableTransport)
    killer = Killer(transport, chooser)
    outcomes = {}
    for command in commands(a_job(machine, number), machine.host):
        work = asyncio.create_task(killer.work())
        outcomes[command.lifecycle_event] = await machine.run(command)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    assert [outcome.succeeded for outcome in outcomes.values()] == [True] * len(EVENTS), outcomes
    trace = machine.root / "trace"
    assert trace.read_text().splitlines() == TRACE
    trace.unlink()
    assert installed(machine) == revision(number) | {"app/foreign": "not ours"}
    return killer.hits


async def test_hundreds_of_kills_at_random_points_lose_nothing_and_repeat_nothing(machines: list[Machine]) -> None:
    async def besiege(machine: Machine, chooser: random.Random) -> int:
        top = machine.root / "srv/app"
        top.mkdir(parents=True)
        (top / "foreign").write_text("not ours")  # what we did not install, no cleanup may touch
        hits = number = 0
        while hits < KILLS / HOSTS:
            number += 1
            hits += await deploy_under_fire(machine, number, chooser)
        await machine.deploy(job(machine.bundle({}), appspec(), "d-last"))
        assert installed(machine) == {"app/foreign": "not ours"}
        return hits

    sieges = [besiege(machine, random.Random(SEED + number)) for number, machine in enumerate(machines)]
    assert sum(await asyncio.gather(*sieges)) >= KILLS
