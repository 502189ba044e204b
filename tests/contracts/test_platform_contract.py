"""What every `Platform` promises, asked of the fake and of real processes in a real folder."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from fakes.platform import FakePlatform
from host_cases import Machine, appspec, commands, job, tgz

from runner.model.command import Command, Outcome
from runner.model.target import Diagnostics, Host
from runner.ports import Platform, Report

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


@pytest.fixture(params=["fake", "local"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        yield FakeSubject(tmp_path)
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
