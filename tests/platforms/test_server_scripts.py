"""Scripts that misbehave, on a local host."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest
from host_cases import Machine, appspec, commands, job
from processes import is_running
from waiting import until

from runner.model.appspec import Script
from runner.model.command import Outcome
from runner.model.target import Host


async def before_install(machine: Machine, script: str | bytes, timeout: int = 60, deployment: str = "d-1") -> Outcome:
    """Run *script* as the one script of BeforeInstall."""
    spec = appspec({}, {"BeforeInstall": [Script(location="s.sh", timeout=timeout)]})
    events = ("DownloadBundle", "BeforeInstall")
    outcomes = await machine.deploy(job(machine.bundle({"s.sh": script}), spec, deployment), events=events)
    return outcomes["BeforeInstall"]


def is_alive(pid_file: Path) -> bool:
    return pid_file.exists() and bool(pid_file.read_text().strip()) and is_running(int(pid_file.read_text()))


def ends_with(path: Path, text: bytes) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(-len(text), os.SEEK_END)
        return file.read() == text
    return False


def peak_memory(shell: Path) -> list[int]:
    """KiB of the largest resident size so far of the shell whose number is in that file, and of its session."""
    found = []
    pid = shell.read_text().strip()
    with contextlib.suppress(FileNotFoundError, KeyError):  # it may have ended meanwhile
        for _ in range(2):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines)
            found.append(int(fields["VmHWM"].split()[0]))
            pid = fields["PPid"].strip()
    return found


async def test_a_script_that_ignores_term_is_killed_with_its_whole_group(machine: Machine) -> None:
    outcome = await before_install(
        machine,
        'trap "" TERM; echo $$ > "$PENSTOCK_ROOT/pid"; (echo child; exec sleep 60) & '
        'echo $! > "$PENSTOCK_ROOT/child"; while :; do sleep 0.05; done',
        timeout=1,
    )
    assert outcome.diagnostics.error_code == "ScriptTimedOut"
    await until(lambda: not is_alive(machine.root / "pid") and not is_alive(machine.root / "child"))


async def test_a_script_may_clean_up_after_term(machine: Machine) -> None:
    outcome = await before_install(
        machine, 'trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 0.05; done', timeout=1
    )
    assert outcome.diagnostics.error_code == "ScriptTimedOut"
    said = [line for line in outcome.diagnostics.log_tail.splitlines() if line.startswith("[stdout]")]
    assert said == ["[stdout]hello", "[stdout]bye"]  # the shell may complain of its child's end on stderr


async def test_a_daemon_that_keeps_the_output_open_neither_holds_up_the_event_nor_dies(machine: Machine) -> None:
    outcome = await before_install(
        machine,
        'echo started; (while [ ! -e "$PENSTOCK_ROOT/stop" ]; do echo tick; sleep 0.02; done; '
        'echo done > "$PENSTOCK_ROOT/done") & echo $! > "$PENSTOCK_ROOT/pid"',
    )
    assert outcome.succeeded
    assert "[warning]a process that the script left behind keeps its output open" in machine.printed
    assert is_alive(machine.root / "pid")
    (machine.root / "stop").write_text("")
    await until((machine.root / "done").exists)  # it went on printing, and no closed pipe killed it


async def test_a_daemon_that_closes_its_output_costs_no_time_and_no_warning(machine: Machine) -> None:
    outcome = await before_install(machine, 'sleep 60 >/dev/null 2>&1 & echo $! > "$PENSTOCK_ROOT/pid"; echo started')
    assert outcome.succeeded
    assert "[warning]" not in machine.printed
    assert is_alive(machine.root / "pid")
    os.kill(int((machine.root / "pid").read_text()), 9)


async def test_ten_megabytes_of_output_stream_through_whole_in_constant_memory(machine: Machine) -> None:
    line = "x" * 99
    spec = appspec({}, {"BeforeInstall": ["s.sh"]})
    script = (
        f'echo $PPID > "$PENSTOCK_ROOT/shell"; yes {line} | head -n 100000; echo all\n'
        'while [ ! -e "$PENSTOCK_ROOT/measured" ]; do sleep 0.02; done'
    )
    made = job(machine.bundle({"s.sh": script}), spec)
    pieces: list[str] = []
    peaks: list[int] = []

    def report(text: str) -> None:
        pieces.append(text)
        if "[stdout]all\n" in text:  # everything went through the session, which still waits for its script
            peaks.extend(peak_memory(machine.root / "shell"))
            (machine.root / "measured").touch()

    for command in commands(made, machine.host, events=("DownloadBundle", "BeforeInstall")):
        assert (await machine.platform.run(command, report)).succeeded
    assert "".join(pieces).count(f"[stdout]{line}\n") == 100_000
    assert peaks
    assert max(peaks) < 64 << 10


@pytest.mark.large
async def test_a_gigabyte_of_output_is_kept_in_bounds_everywhere(machine: Machine) -> None:
    """One real gigabyte: the memory of the host and of us, its disk, and what crosses the connection stay bounded."""
    script = (
        f'echo $PPID > "$PENSTOCK_ROOT/shell"; yes {"x" * 99} | head -c 1G; echo; echo all\n'
        'while [ ! -e "$PENSTOCK_ROOT/measured" ]; do sleep 0.02; done; exit 3'
    )
    made = job(machine.bundle({"s.sh": script}), appspec({}, {"BeforeInstall": ["s.sh"]}))
    download, command = commands(made, machine.host, events=("DownloadBundle", "BeforeInstall"))
    await machine.run(download)
    task = asyncio.create_task(machine.run(command))
    logs = machine.state / "group-1/d-000000001/logs"
    current = logs / "scripts.log"
    await until(lambda: ends_with(current, b"[stdout]all\n"), within=100)
    peaks = peak_memory(machine.root / "shell")
    (machine.root / "measured").touch()
    outcome = await task
    assert peaks
    assert max(peaks) < 64 << 10
    assert outcome.diagnostics.log_tail.count("x" * 99) > 10
    assert machine.printed.splitlines()[-1] == (
        f"[warning]the output goes on; only its first {16 << 20} bytes are sent, the rest is in {current} on this host"
    )
    assert len(machine.printed) <= (16 << 20) + 1000
    assert sorted(path.stat().st_size for path in logs.iterdir())[-1] <= 64 << 20
    assert len(list(logs.iterdir())) == 4
    assert sum(path.stat().st_size for path in (machine.state / "deployment-logs").iterdir()) < 9 * (65 << 20)


async def test_binary_output_is_shown_with_replacements_and_kept_as_it_was(machine: Machine) -> None:
    raw = bytes(range(256)) * 300  # NULs, invalid UTF-8; the one newline in each 256 bytes makes lines of it
    script = b"#!/bin/sh\ncat \"${0%/*}/raw\"; printf 'no newline at the end'\n"
    spec = appspec({}, {"BeforeInstall": ["s.sh"]})
    made = job(machine.bundle({"s.sh": script, "raw": raw}), spec)
    outcomes = await machine.deploy(made, events=("DownloadBundle", "BeforeInstall"))
    assert outcomes["BeforeInstall"].succeeded
    kept = (machine.state / "group-1/d-000000001/logs/scripts.log").read_bytes()
    assert kept.count(raw[11:256] + raw[:10] + b"\n") == 299
    assert "[stdout]" + (raw[11:256] + raw[:10]).decode(errors="replace") in machine.printed
    assert machine.printed.endswith("no newline at the end\n")


async def test_one_endless_line_is_cut_and_what_is_not_text_is_replaced(machine: Machine) -> None:
    outcome = await before_install(
        machine, "head -c 200000 /dev/zero | tr '\\0' y; echo; printf '\\377\\376ok'; exit 1"
    )
    assert outcome.diagnostics.error_code == "ScriptFailed"
    assert machine.printed.count("y") >= 200_000
    assert "[stdout]\ufffd\ufffdok\n" in machine.printed
    assert outcome.diagnostics.log_tail.endswith("ok\n")
    assert len(outcome.diagnostics.log_tail) < 2048


async def test_the_tail_has_whole_lines_only_and_fewer_than_2048_characters(machine: Machine) -> None:
    outcome = await before_install(machine, 'for i in $(seq 1000); do echo "line $i"; done; echo oops >&2; exit 3')
    tail = outcome.diagnostics.log_tail
    assert len(tail) < 2048
    assert tail.endswith("[stderr]oops\n") or "[stderr]oops\n" in tail
    assert all(line.startswith(("[stdout]line ", "[stderr]")) for line in tail.splitlines())


async def test_a_script_that_kills_itself_failed(machine: Machine) -> None:
    outcome = await before_install(machine, "kill -9 $$")
    assert (
        outcome.diagnostics.message
        == "Script at specified location: s.sh failed with exit code 137, as if ended by signal 9"
    )


async def test_a_script_that_kills_its_parent_has_failed_and_is_not_run_again(machine: Machine) -> None:
    outcome = await before_install(
        machine, 'echo x >> "$PENSTOCK_ROOT/ran"; echo $$ > "$PENSTOCK_ROOT/pid"; kill -9 $PPID; sleep 60'
    )
    assert outcome.diagnostics.error_code == "ScriptFailed"
    assert outcome.diagnostics.message.endswith("s.sh failed: the shell that it ran below was killed by signal 9")
    assert (machine.root / "ran").read_text() == "x\n"
    await until(lambda: not is_alive(machine.root / "pid"))


async def test_a_script_that_kills_its_process_group_has_failed(machine: Machine) -> None:
    outcome = await before_install(machine, "kill -TERM 0; sleep 60")
    assert outcome.diagnostics.message.endswith("s.sh failed with exit code 143, as if ended by signal 15")
    outcome = await before_install(machine, "kill -KILL 0", deployment="d-2")
    assert outcome.diagnostics.message.endswith("the shell that it ran below was killed by signal 9")


async def test_a_script_that_kills_all_of_us_is_given_up_after_some_attempts(machine: Machine) -> None:
    outcome = await before_install(
        machine,
        'echo x >> "$PENSTOCK_ROOT/ran"; echo $$ > "$PENSTOCK_ROOT/pid"; '
        "session=$(cut -d ' ' -f 4 /proc/$PPID/stat); [ $session -gt 1 ] && kill -9 $session $PPID; sleep 60",
    )
    assert not outcome.succeeded
    assert "was begun 5 times and killed each time" in outcome.diagnostics.message
    assert len((machine.root / "ran").read_text().splitlines()) == 5
    await until(lambda: not is_alive(machine.root / "pid"))


async def test_a_script_starts_with_nothing_but_its_three_streams_and_default_signals(machine: Machine) -> None:
    """`ls` itself has the folder open, and nothing else may be left over from the shell above it."""
    outcome = await before_install(machine, "ls -l /proc/self/fd; grep -E '^Sig(Ign|Blk)' /proc/self/status")
    assert outcome.succeeded
    lines = [line.removeprefix("[stdout]") for line in machine.printed.splitlines() if line.startswith("[stdout]")]
    opened = {line.split()[8]: line.split()[10] for line in lines if " -> " in line}
    assert sorted(opened) == ["0", "1", "2", "3"]
    assert opened["0"] == "/dev/null"
    assert opened["3"].endswith("/fd")
    signals = {line.split(":")[0]: int(line.split(":")[1], 16) for line in lines if line.startswith("Sig")}
    assert signals["SigBlk"] == 0
    assert signals["SigIgn"] & 0x7FFFFFFF == 0  # the real-time ones are not ours


async def test_a_variable_whose_name_no_shell_takes_arrives_all_the_same(machine: Machine) -> None:
    machine.host = Host(name="web-1", folder=str(machine.root), environment={"spring.profile": "it's blue"})
    await before_install(machine, b"#!/usr/bin/env -S grep -z ^spring.profile= /proc/self/environ\n")
    assert "spring.profile=it's blue" in machine.printed


async def test_an_interpreter_that_is_not_there_is_hinted_at(machine: Machine) -> None:
    outcome = await before_install(machine, b"#!/nowhere/python\n")
    assert "exit code 127, as if a program that it needs, or its interpreter" in outcome.diagnostics.message
    assert "not found" in outcome.diagnostics.log_tail


async def test_a_script_that_closes_its_output_is_still_waited_for(machine: Machine) -> None:
    outcome = await before_install(machine, 'exec >&- 2>&-; sleep 0.3; echo end > "$PENSTOCK_ROOT/end"; exit 4')
    assert outcome.diagnostics.message == "Script at specified location: s.sh failed with exit code 4"
    assert (machine.root / "end").exists()


async def test_a_directory_in_the_place_of_a_script_failed(machine: Machine) -> None:
    spec = appspec({}, {"BeforeInstall": ["folder"]})
    bundle = machine.bundle({"folder/x": "1"})
    outcomes = await machine.deploy(job(bundle, spec), events=("DownloadBundle", "BeforeInstall"))
    assert outcomes["BeforeInstall"].diagnostics.error_code == "ScriptFailed"


async def test_runas_goes_through_su(machine: Machine) -> None:
    spec = appspec({}, {"BeforeInstall": [Script(location="s.sh", runas="nobody")]})
    outcomes = await machine.deploy(
        job(machine.bundle({"s.sh": "exit 5"}), spec), events=("DownloadBundle", "BeforeInstall")
    )
    message = outcomes["BeforeInstall"].diagnostics.message
    assert message.startswith("Script at specified location: s.sh run as user nobody failed with exit code")


async def test_a_program_that_is_not_on_the_host_is_a_failed_script(machine: Machine) -> None:
    spec = appspec({}, {"BeforeInstall": [Script(location="s.sh", sudo=True)]})
    machine.host = Host(name="web-1", folder=str(machine.root), environment={"PATH": "/nowhere"})
    outcomes = await machine.deploy(
        job(machine.bundle({"s.sh": "exit 5"}), spec), events=("DownloadBundle", "BeforeInstall")
    )
    assert outcomes["BeforeInstall"].diagnostics.error_code == "ScriptFailed"
    assert "could not be started: No such file or directory: sudo" in outcomes["BeforeInstall"].diagnostics.message
