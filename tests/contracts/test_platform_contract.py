"""What every `Platform` promises, asked of the fake, of real processes in a real folder, and of a host with an agent."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from agent_rig import Deployments, now
from fakes.platform import FakePlatform
from host_cases import Machine, appspec, commands, job, tgz

from runner.model.command import Command, Outcome
from runner.model.target import Diagnostics, Host
from runner.platforms.agents.desk import Desk
from runner.platforms.agents.platform import AgentPlatform
from runner.platforms.agents.signing import SigningKey
from runner.platforms.agents.specifications import SignedSpecifications
from runner.ports import Platform, Report
from runner.ports.agents import Caller, Handed

EVENT = "BeforeInstall"


class Subject(Protocol):
    """A platform, and one host whose BeforeInstall prints `began`, waits if it is held up, then ends as told."""

    platform: Platform

    def hold(self) -> None: ...
    def let_go(self) -> None: ...
    def times_run(self) -> int: ...
    async def other(self) -> Platform: ...
    def command(self, event: str = EVENT, attempt: int = 1, fails: bool = False) -> Command: ...


class FakeSubject:
    def __init__(self, folder: Path) -> None:
        self.platform = FakePlatform(self._script)
        self._folder = folder
        self._may_end = asyncio.Event()
        self._may_end.set()

    def hold(self) -> None:
        self._may_end.clear()

    def let_go(self) -> None:
        self._may_end.set()

    def times_run(self) -> int:
        return len([key for key in self.platform.ran if key[2] == EVENT])

    async def other(self) -> Platform:
        return self.platform

    def command(self, event: str = EVENT, attempt: int = 1, fails: bool = False) -> Command:
        bundle = tgz(self._folder / f"{fails}.tgz", {})
        made = commands(job(bundle, appspec(), f"d-{fails}"), Host(name="h"), attempt)
        return next(command for command in made if command.lifecycle_event == event)

    async def _script(self, command: Command, report: Report) -> Outcome:
        if command.lifecycle_event != EVENT:
            return Outcome(succeeded=True)
        report(f"LifecycleEvent - {EVENT}\n")
        report("[stdout]began\n")
        await self._may_end.wait()
        if command.job.deployment_id == "d-True":
            diagnostics = Diagnostics(
                error_code="ScriptFailed", script_name="s.sh", message="no", log_tail="[stdout]began\n"
            )
            return Outcome(succeeded=False, diagnostics=diagnostics)
        return Outcome(succeeded=True)


class LocalSubject:
    """The Server platform on a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder)
        self.platform = self.machine.platform
        self._gate = folder / "gate"
        self._ran = folder / "ran"
        self._others: list[Platform] = []

    def hold(self) -> None:
        self._gate.write_text("")

    def let_go(self) -> None:
        self._gate.unlink()

    def times_run(self) -> int:
        return len(self._ran.read_text().splitlines()) if self._ran.exists() else 0

    async def other(self) -> Platform:
        self._others.append(self.machine.another_platform())
        return self._others[-1]

    async def prepare(self) -> None:
        for fails in (False, True):
            await self.platform.run(self.command("DownloadBundle", fails=fails), lambda text: None)

    def command(self, event: str = EVENT, attempt: int = 1, fails: bool = False) -> Command:
        script = f"echo x >> {self._ran}; echo began; while [ -e {self._gate} ]; do sleep 0.01; done; exit {int(fails)}"
        return self.machine.command(event, {"s.sh": script}, {EVENT: ["s.sh"]}, f"d-{fails}", attempt)

    async def close(self) -> None:
        await self.machine.close()


class AgentSubject:
    """A host whose agent asks: the real desk on a real store, and a task that does what agents do."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._gate, self._runs = folder, asyncio.Event(), 0
        self._gate.set()
        self._world = Deployments(folder / "world")
        self._ids = {fails: self._world.begin({}, appspec(), name=f"group-{fails}") for fails in (False, True)}
        specifications = SignedSpecifications(self._world.store.job, SigningKey.of(folder, now()))
        self.desk = Desk(self._world.store.host_commands, specifications, now, tick=0.01)
        self.platform: Platform = AgentPlatform(self.desk)
        self._tasks = [asyncio.create_task(self.desk.run()), asyncio.create_task(self._ask())]

    def hold(self) -> None:
        self._gate.clear()

    def let_go(self) -> None:
        self._gate.set()

    def times_run(self) -> int:
        return self._runs

    async def other(self) -> Platform:
        return AgentPlatform(self.desk)  # a store has one desk

    def command(self, event: str = EVENT, attempt: int = 1, fails: bool = False) -> Command:
        bundle = tgz(self._folder / f"{fails}.tgz", {})
        made = commands(job(bundle, appspec(), self._ids[fails]), Host(name="h", transport="agent"), attempt)
        return next(command for command in made if command.lifecycle_event == event)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._world.store.close()

    async def _ask(self) -> None:
        caller = Caller("h", "h", "penstock/1")
        async with asyncio.TaskGroup() as working:
            while True:
                if handed := await self.desk.poll(caller):
                    working.create_task(self._work(caller, handed))

    async def _work(self, caller: Caller, handed: Handed) -> None:
        assert await self.desk.acknowledge(caller, handed.identifier) == "InProgress"
        if handed.event != EVENT:
            return await self.desk.complete(caller, handed.identifier, "Succeeded", '{"error_code": 0}')
        self._runs += 1
        log = f"LifecycleEvent - {EVENT}\n[stdout]began\n"
        piece = json.dumps({"log": log, "from": 0, "offset": len(log)})
        while not self._gate.is_set() or (await self.desk.update(caller, handed.identifier, piece)).offset == 0:
            await self.desk.update(caller, handed.identifier, piece)
            await asyncio.sleep(0.005)
        fails = handed.execution.endswith(self._ids[True])
        said = {"error_code": 4 * fails, "script_name": "s.sh" * fails, "message": "no" * fails, "log": log * fails}
        status = "Failed" if fails else "Succeeded"
        return await self.desk.complete(caller, handed.identifier, status, json.dumps(said))


@pytest.fixture(params=["fake", "local", "agent"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        yield FakeSubject(tmp_path)
        return
    if request.param == "agent":
        agent = AgentSubject(tmp_path)
        yield agent
        await agent.close()
        return
    local = LocalSubject(tmp_path)
    await local.prepare()
    yield local
    await local.close()


async def test_an_event_reports_its_output_and_succeeds(subject: Subject) -> None:
    printed: list[str] = []
    outcome = await subject.platform.run(subject.command(), printed.append)
    assert outcome.succeeded
    assert outcome.diagnostics.error_code == "Success"
    assert "".join(printed).startswith(f"LifecycleEvent - {EVENT}\n")
    assert "[stdout]began\n" in "".join(printed)
    assert all(piece.endswith("\n") for piece in printed)


async def test_a_failed_script_is_an_outcome(subject: Subject) -> None:
    outcome = await subject.platform.run(subject.command(fails=True), lambda text: None)
    assert not outcome.succeeded
    assert (outcome.diagnostics.error_code, outcome.diagnostics.script_name) == ("ScriptFailed", "s.sh")
    assert outcome.diagnostics.log_tail.endswith("[stdout]began\n")


async def test_asked_again_after_the_end_the_outcome_is_the_same_and_nothing_runs(subject: Subject) -> None:
    first = await subject.platform.run(subject.command(fails=True), lambda text: None)
    assert await subject.platform.run(subject.command(fails=True), lambda text: None) == first
    assert await (await subject.other()).run(subject.command(fails=True), lambda text: None) == first
    assert subject.times_run() == 1


async def test_asked_again_while_it_runs_it_joins(subject: Subject) -> None:
    subject.hold()
    began = asyncio.Event()
    first = asyncio.create_task(subject.platform.run(subject.command(), lambda text: began.set()))
    await began.wait()
    heard = asyncio.Event()
    second = asyncio.create_task((await subject.other()).run(subject.command(), lambda text: heard.set()))
    await heard.wait()  # the output comes while the script still runs
    assert not first.done()
    subject.let_go()
    assert await first == await second
    assert subject.times_run() == 1


async def test_another_attempt_runs_again(subject: Subject) -> None:
    await subject.platform.run(subject.command(), lambda text: None)
    await subject.platform.run(subject.command(attempt=2), lambda text: None)
    assert subject.times_run() == 2


async def test_cancelling_does_not_stop_the_script(subject: Subject) -> None:
    subject.hold()
    began = asyncio.Event()
    task = asyncio.create_task(subject.platform.run(subject.command(), lambda text: began.set()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    subject.let_go()
    assert (await subject.platform.run(subject.command(), lambda text: None)).succeeded
    assert subject.times_run() == 1


async def test_an_event_without_scripts_succeeds(subject: Subject) -> None:
    outcome = await subject.platform.run(subject.command("ApplicationStop"), lambda text: None)
    assert outcome.succeeded
    assert subject.times_run() == 0


async def test_closing_lets_a_running_event_go_on(subject: Subject) -> None:
    subject.hold()
    began = asyncio.Event()
    other = await subject.other()
    task = asyncio.create_task(other.run(subject.command(), lambda text: began.set()))
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    await other.close()
    subject.let_go()
    assert (await subject.platform.run(subject.command(), lambda text: None)).succeeded
    assert subject.times_run() == 1
