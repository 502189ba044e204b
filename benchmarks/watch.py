"""Polling many repositories: what it costs `penstock serve`, beside one `git ls-remote` a poll.

The git server is a stub in a process of its own, which answers what git once answered (`benchmarks.watch_server`): only the
client's costs are measured. Everything else is real: configuration, schedule, HTTP, selection, database.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.site import folder

RUNS = 1
PATIENCE = 180.0  # seconds until something has gone wrong
_GIT = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


class Size(NamedTuple):
    """*settling*, *watched*: seconds. *interval*: seconds between two polls of one repository. *processes*: of git."""

    repositories: int
    interval: int
    settling: float
    watched: float
    processes: int


class Figures(NamedTuple):
    """*polls*: a second. *cpu*: percent of a core. *memory*: MiB, the most so far. *each*: ms of CPU a poll."""

    polls: float
    cpu: float
    memory: float
    each: float


def measure(runs: int, *, small: bool = False) -> str:
    """About three minutes a round; most of them are spent waiting."""
    size = Size(200, 2, 3.0, 4.0, 3) if small else Size(10_000, 60, 20.0, 45.0, 40)
    head = ["case", "polls/s", "CPU %", "MiB", "CPU ms a poll", "polls a CPU second", "x git ls-remote"]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["-"] * len(head))]
    with _stub() as server:
        for _ in range(runs):
            git = median(_ls_remote(server.url) for _ in range(size.processes))
            lines.append(_line("`git ls-remote`, a process a poll", None, git, git))
            alone = size._replace(repositories=1, settling=1.0, watched=min(15.0, size.watched))
            for case, name in ((alone, "1 repository"), (size, f"{size.repositories:,} repositories")):
                figures = _served(server, case)
                lines.append(_line(f"penstock serve, {name}, each {size.interval} s", figures, figures.each, git))
    about = (
        "CPU time of the client; the server is a stub on loopback that answers recorded bytes (10 refs). "
        "The costs of one repository are those of a process that does nothing."
    )
    return f"### watch\n\n{about}\n\n" + "\n".join(lines)


def _line(name: str, figures: Figures | None, each: float, git: float) -> str:
    shown = [f"{figures.polls:.1f}", f"{figures.cpu:.1f}", f"{figures.memory:.0f}"] if figures else ["", "", ""]
    told = [f"{each:.3f}", f"{1000 / each:,.0f}", f"{git / each:.1f}"] if each else ["", "", ""]
    return "| " + " | ".join([name, *shown, *told]) + " |"


def _ls_remote(url: str) -> float:
    """Milliseconds of CPU of git and of what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["git", "ls-remote", f"{url}/shop.git", "refs/heads/main"]
    subprocess.run(command, env=_GIT, check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _served(server: "Stub", size: Size) -> Figures:
    with folder() as place:
        config = place / "penstock.toml"
        # no branch of that name: what is measured is polling, and nothing is fetched or deployed
        config.write_text(
            "".join(
                f'[repositories.r{number}]\nurl = "{server.url}/r{number}.git"\nbranches = ["deployed"]\n'
                f'interval = "{size.interval}s"\n'
                for number in range(size.repositories)
            )
        )
        arguments = ["--config", str(config), "--state", str(place / "state"), "serve"]
        with (place / "log").open("wb") as log:
            penstock = subprocess.Popen([sys.executable, "-m", "runner", *arguments], stdout=log, stderr=log)
        try:
            limit, before = time.monotonic() + PATIENCE, server.polls()
            while server.polls() - before < size.repositories:  # the first looks are recorded: that costs more
                assert penstock.poll() is None, (place / "log").read_text()[-2000:]
                assert time.monotonic() < limit, f"not all were asked within {PATIENCE:g} s"
                time.sleep(0.5)
            time.sleep(size.settling)
            polls, cpu, began = server.polls(), _cpu(penstock.pid), time.monotonic()
            time.sleep(size.watched)
            polls, cpu, took = server.polls() - polls, _cpu(penstock.pid) - cpu, time.monotonic() - began
            memory = _memory(penstock.pid)
        finally:
            penstock.terminate()
            penstock.wait(30)
    return Figures(polls / took, 100 * cpu / took, memory, 1000 * cpu / polls if size.repositories > 1 else 0.0)


class Stub:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url: str = self._said()["url"]

    def polls(self) -> int:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._said()["polls"])

    def _said(self) -> dict[str, str]:
        assert self._process.stdout
        said: dict[str, str] = json.loads(self._process.stdout.readline())
        return said


@contextmanager
def _stub() -> Iterator[Stub]:
    command = [sys.executable, "-m", "benchmarks.watch_server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Stub(process)
    finally:
        process.communicate(timeout=30)


def _cpu(pid: int) -> float:
    """Seconds so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """MiB, the most that was resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [each for each in lines if each.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
