"""Processes killed at every bad moment: what ended is never run again, what was asked for is never lost."""

import asyncio
import contextlib
import json
import os
import random
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from host_cases import EVENTS, Machine, appspec, commands, job
from processes import children_of, is_running, kill, parent_of
from waiting import until

from runner.model.appspec import Script
from runner.model.command import Job
from runner.platforms.server.transport import LocalTransport

STEP = (
    'echo "$LIFECYCLE_EVENT {0} begin" >> "$PENSTOCK_ROOT/steps"; echo {0}; '
    'echo "$LIFECYCLE_EVENT {0} end" >> "$PENSTOCK_ROOT/steps"'
)
SCRIPTS = {f"{name}.sh": STEP.format(name) for name in ("a", "b", "c")}
HOOKS: dict[str, list[str | Script]] = {
    "BeforeInstall": ["a.sh", "b.sh"],
    "AfterInstall": ["c.sh", "a.sh"],
    "ValidateService": ["b.sh"],
}
EXPECTED = [
    f"{event} {script.partition('.')[0]}"
    for event in EVENTS
    for script in HOOKS.get(event, [])
    if isinstance(script, str)
]


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    made.platform = made.another_platform(LocalTransport())
    yield made
    await made.close()


def local(machine: Machine) -> LocalTransport:
    transport = machine.platform._transport
    assert isinstance(transport, LocalTransport)
    return transport


def ends(machine: Machine, kind: str = "end") -> list[str]:
    path = machine.root / "steps"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.removesuffix(f" {kind}") for line in lines if line.endswith(kind)]


def a_job(machine: Machine, deployment: str, number: int) -> Job:
    files = {f"app/{name}": f"{number}" * 5000 for name in "abcdef"} | {f"app/only{number}": "x"}
    return job(machine.bundle(SCRIPTS | files), appspec({"app": "/srv/app"}, HOOKS), deployment)


def installed(machine: Machine) -> dict[str, str]:
    top = machine.root / "srv/app"
    return {path.name: path.read_text()[:1] for path in top.iterdir()}


async def killing(
    machine: Machine, chooser: random.Random, at_most: float, victims: list[int], most: int = 1000
) -> None:
    """Kill a session of the machine's hub, again and again, after random moments, *most* times."""
    transport = local(machine)
    while len(victims) < most:
        await asyncio.sleep(chooser.uniform(0, at_most))
        for session in children_of(transport.hub_pid):
            kill(session)
            victims.append(session)


async def test_sessions_killed_at_random_moments_run_every_script_exactly_once(machine: Machine) -> None:
    chooser = random.Random(7)
    victims: list[int] = []
    number = 0
    while len(victims) < 32:
        number += 1
        killer = asyncio.create_task(killing(machine, chooser, 0.06, victims))
        outcomes = await machine.deploy(a_job(machine, f"d-{number}", number % 2))
        killer.cancel()
        assert [outcome.succeeded for outcome in outcomes.values()] == [True] * 7, outcomes
        assert ends(machine) == EXPECTED
        assert ends(machine, "begin") == EXPECTED  # not even an interrupted one: it is adopted
        assert installed(machine) == dict.fromkeys("abcdef", str(number % 2)) | {f"only{number % 2}": "x"}
        (machine.root / "steps").unlink()


async def test_a_script_whose_session_died_is_still_ended_when_its_time_is_up(machine: Machine) -> None:
    """By the clock of its own start: neither the death of the session nor a new one gives it more time."""
    script = (
        'echo began > "$PENSTOCK_ROOT/said"; trap "echo told >> $PENSTOCK_ROOT/said; exit" TERM; '
        "while :; do sleep 0.02; done"
    )
    spec = appspec({}, {"BeforeInstall": [Script(location="s.sh", timeout=2)]})
    made = job(machine.bundle({"s.sh": script}), spec)
    task = asyncio.create_task(machine.deploy(made, events=("DownloadBundle", "BeforeInstall")))
    said = machine.root / "said"
    await until(lambda: said.exists() and said.read_text().endswith("\n"))
    for session in children_of(local(machine).hub_pid):
        kill(session)
    outcome = (await task)["BeforeInstall"]
    assert outcome.diagnostics.error_code == "ScriptTimedOut"
    assert said.read_text().split() == ["began", "told"]


async def left_running(machine: Machine, task: "asyncio.Task[object]") -> int:
    """Kill the session of the script that *task* runs, and ask no more; the script's process, which it wrote to `pid`."""
    pid = machine.root / "pid"
    await until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    sessions = children_of(local(machine).hub_pid)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for session in sessions:
        kill(session)
    await until(lambda: not any(map(is_running, sessions)))  # it may take the kernel a while, and it could still read
    return int(pid.read_text())


async def test_a_script_that_ends_without_a_session_keeps_what_it_printed(machine: Machine) -> None:
    gate = machine.folder / "gate"
    gate.write_text("")
    script = f'echo $$ > "$PENSTOCK_ROOT/pid"; while [ -e {gate} ]; do sleep 0.01; done; echo last words; exit 3'
    made = job(machine.bundle({"s.sh": script}), appspec({}, {"BeforeInstall": ["s.sh"]}))
    download, command = commands(made, machine.host, events=("DownloadBundle", "BeforeInstall"))
    await machine.run(download)
    task = asyncio.create_task(machine.run(command))
    pid = await left_running(machine, task)
    gate.unlink()
    await until(lambda: not is_running(pid))
    outcome = await machine.run(command)
    assert outcome.diagnostics.message == "Script at specified location: s.sh failed with exit code 3"
    assert outcome.diagnostics.log_tail.endswith("[stdout]last words\n")


async def test_another_deployment_waits_for_a_script_that_a_dead_session_left_running(machine: Machine) -> None:
    gate = machine.folder / "gate"
    gate.write_text("")
    script = (
        f'echo $$ > "$PENSTOCK_ROOT/pid"; while [ -e {gate} ]; do sleep 0.01; done; echo 1 >> "$PENSTOCK_ROOT/order"'
    )
    first = job(machine.bundle({"s.sh": script}), appspec({}, {"BeforeInstall": ["s.sh"]}), "d-1")
    task = asyncio.create_task(machine.deploy(first, events=("DownloadBundle", "BeforeInstall")))
    await left_running(machine, task)
    second = job(
        machine.bundle({"s.sh": 'echo 2 >> "$PENSTOCK_ROOT/order"'}), appspec({}, {"BeforeInstall": ["s.sh"]}), "d-2"
    )
    task = asyncio.create_task(machine.deploy(second, events=("DownloadBundle", "BeforeInstall")))
    asked = machine.state / "group-1/d-2/journal"
    await until(asked.exists)  # it has come as far as to ask for its first event
    gate.unlink()
    assert (await task)["BeforeInstall"].succeeded
    assert (machine.root / "order").read_text() == "1\n2\n"


async def test_the_output_is_reported_once_and_whole_across_broken_sessions(machine: Machine) -> None:
    script = "for i in $(seq 40); do echo line $i; sleep 0.01; done"
    spec = appspec({}, {"BeforeInstall": ["s.sh"]})
    killer = asyncio.create_task(killing(machine, random.Random(3), 0.2, []))
    outcomes = await machine.deploy(
        job(machine.bundle({"s.sh": script}), spec), events=("DownloadBundle", "BeforeInstall")
    )
    killer.cancel()
    assert outcomes["BeforeInstall"].succeeded
    lines = "".join(f"[stdout]line {i}\n" for i in range(1, 41))
    assert machine.printed == f"LifecycleEvent - BeforeInstall\nScript - s.sh\n{lines}"


async def test_whatever_is_killed_no_script_starts_again_after_its_end_is_recorded(machine: Machine) -> None:
    chooser = random.Random(23)
    kills = 0

    async def kill_something() -> None:
        nonlocal kills
        transport = local(machine)
        while True:
            await asyncio.sleep(chooser.uniform(0, 0.05))
            for session in children_of(transport.hub_pid):
                kills += 1
                shells = children_of(session)
                kill(session)
                if chooser.random() < 0.3:
                    for shell in shells:
                        kill(shell)

    number = 0
    while kills < 30:
        number += 1
        killer = asyncio.create_task(kill_something())
        outcomes = await machine.deploy(a_job(machine, f"d-{number}", number % 2))
        killer.cancel()
        assert [outcome.succeeded for outcome in outcomes.values()] == [True] * 7, outcomes
        ended: set[tuple[str, int]] = set()
        for line in (machine.state / f"group-1/d-{number}/journal").read_text().splitlines():
            entry = json.loads(line)
            if entry["kind"] == "script started":
                assert (entry["event"], entry["number"]) not in ended
            if entry["kind"] == "script ended":
                ended.add((entry["event"], entry["number"]))
        assert ended == {(event, number) for event, scripts in HOOKS.items() for number in range(len(scripts))}
        assert set(EXPECTED) <= set(ends(machine))


async def test_session_and_shell_killed_together_are_taken_up_again(machine: Machine) -> None:
    gate = machine.folder / "gate"
    gate.write_text("")
    script = f'echo $$ >> "$PENSTOCK_ROOT/pids"; while [ -e {gate} ]; do sleep 0.01; done; ' + STEP.format("b")
    made = job(
        machine.bundle({"a.sh": STEP.format("a"), "b.sh": script}), appspec({}, {"BeforeInstall": ["a.sh", "b.sh"]})
    )
    task = asyncio.create_task(machine.deploy(made, events=("DownloadBundle", "BeforeInstall")))
    pids = machine.root / "pids"
    await until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    first = int(pids.read_text())
    shell = parent_of(first)
    kill(parent_of(shell))
    kill(shell)
    await until(lambda: len(pids.read_text().splitlines()) == 2)
    assert not is_running(first)  # two of one script never overlap
    gate.unlink()
    assert (await task)["BeforeInstall"].succeeded
    assert ends(machine) == ["BeforeInstall a", "BeforeInstall b"]


async def test_a_killed_hub_is_replaced_and_its_sessions_go_on(machine: Machine) -> None:
    transport = local(machine)
    sleeper = job(
        machine.bundle({"s.sh": f'touch "$PENSTOCK_ROOT/began"; sleep 0.3; {STEP.format("s")}'}),
        appspec({}, {"BeforeInstall": ["s.sh"]}),
    )
    task = asyncio.create_task(machine.deploy(sleeper, events=("DownloadBundle", "BeforeInstall")))
    await until((machine.root / "began").exists)
    first = transport.hub_pid
    assert first is not None
    kill(first)
    assert (await task)["BeforeInstall"].succeeded
    outcomes = await machine.deploy(a_job(machine, "d-2", 1))
    assert outcomes["ValidateService"].succeeded
    assert transport.hub_pid != first


CONTROL = """
    import asyncio, sys
    from pathlib import Path
    from host_cases import Machine, appspec, job

    async def main():
        machine = Machine(Path(sys.argv[1]))
        made = job(machine.bundle({"s.sh": sys.argv[2]}), appspec({}, {"BeforeInstall": ["s.sh"]}))
        await machine.deploy(made, events=("DownloadBundle", "BeforeInstall"))

    asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["while it runs", "after the end"])
async def test_a_killed_control_side_stops_no_script_and_a_second_one_joins(machine: Machine, when: str) -> None:
    gate = machine.folder / "gate"
    gate.write_text("")
    script = f'touch "$PENSTOCK_ROOT/began"; while [ -e {gate} ]; do sleep 0.01; done; ' + STEP.format("s")
    control = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(CONTROL),
        str(machine.folder),
        script,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    await until((machine.root / "began").exists)
    control.kill()
    await control.wait()
    made = job(machine.bundle({"s.sh": script}), appspec({}, {"BeforeInstall": ["s.sh"]}))
    command = commands(made, machine.host)[2]
    if when == "while it runs":
        heard = asyncio.Event()
        task = asyncio.create_task(machine.platform.run(command, lambda text: heard.set()))
        await heard.wait()
        gate.unlink()
        outcome = await task
    else:
        gate.unlink()
        journal = machine.state / "group-1/d-000000001/journal"
        await until(
            lambda: '"BeforeInstall"' in journal.read_text() and "outcome" in journal.read_text().splitlines()[-1]
        )
        outcome = await machine.run(command)
        assert "[stdout]s\n" in machine.printed
    assert outcome.succeeded
    assert ends(machine) == ["BeforeInstall s"]


async def test_a_dead_executor_in_the_middle_of_install_leaves_a_correct_cleanup(machine: Machine) -> None:
    """Kills the session while files are being copied; the next deployment finds nothing in its way."""
    chooser = random.Random(11)
    many = {f"app/{folder}/{name}": "x" * 20000 for folder in "abc" for name in "0123456789"}
    spec = appspec({"app": "/srv/app"})
    for number in range(10):
        other = {f"app/{folder}/{name}": f"{number}" for folder in "bcd" for name in "056"} if number % 2 else many
        made = job(machine.bundle(other), spec, f"d-{number}")
        await machine.deploy(made, events=("DownloadBundle",))
        killer = asyncio.create_task(killing(machine, chooser, 0.012, [], most=3))
        outcomes = await machine.deploy(made, events=("Install",))
        killer.cancel()
        assert outcomes["Install"].succeeded, outcomes["Install"]
        top = machine.root / "srv/app"
        found = {str(path.relative_to(machine.root / "srv")) for path in top.rglob("*") if path.is_file()}
        assert found == set(other)
    await machine.deploy(job(machine.bundle({}), appspec(), "d-last"))
    assert not (machine.root / "srv").exists()
