"""Agents that hold a poll open: what they cost one process, and how soon work reaches them.

Server and agents are processes of their own, on loopback; the agents are simulated, their signatures are real.
"""

import json
import os
import queue
import random
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.site import folder

RUNS = 1
FLEETS = 2  # processes of agents
PATIENCE = 120.0  # seconds until something has gone wrong
SPARE_FILES = 500
APART = 0.05  # seconds between commands that come one by one


class Size(NamedTuple):
    """*idle*: seconds of watching. *singles*: deliveries one by one. *rounds*: of *burst* deliveries at once."""

    agents: int
    idle: float
    singles: int
    rounds: int
    burst: int


class Figures(NamedTuple):
    """*base*, *held*: MiB; *idle*: percent of a core; *command*: ms of CPU for all that one command takes; *stolen*:
    percent of a core that the hypervisor gave to others during *singles*; *commits*: of one row, beside them; *written*:
    until the server has written the answer; ms.
    """

    base: float
    held: float
    idle: float
    command: float
    stolen: float
    commits: list[float]
    written: list[float]
    singles: list[float]
    bursts: list[float]


def measure(runs: int, *, small: bool = False) -> str:
    size = Size(50, 1.0, 10, 2, 10) if small else Size(10_000, 60.0, 500, 20, 100)
    _allow_files(size.agents + SPARE_FILES)
    cases = [("floor: asyncio, fixed bytes", "floor"), ("penstock's listener and desk", "penstock")]
    burst = f"{size.burst} at once"
    head = ["case", "MiB at the start", "MiB with agents", "KiB an agent", "CPU % idle", "CPU ms a command", "x floor"]
    head += [
        "stolen %",
        "a commit: p50 ms",
        "p99 ms",
        "one, written: p50 ms",
        "p99 ms",
        "one: p50 ms",
        "p99 ms",
        f"{burst}: p50 ms",
        "p99 ms",
    ]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["-"] * len(head))]
    for _ in range(runs):
        floor: Figures | None = None
        for name, kind in cases:
            cores = os.sched_getaffinity(0)
            figures = _measured(kind, size)
            os.sched_setaffinity(0, cores)
            floor = floor or figures
            lines.append(_row(name, size, figures, floor))
    about = (
        f"{size.agents:,} agents, each with one poll open, which is answered and asked again once a minute. Memory is "
        f"what is resident in the server's process, CPU its share of one core over {size.idle:g} s. Then {size.singles} "
        f"commands one by one, {1 / APART:.0f} a second, and {size.rounds} times {size.burst} at once: from the command "
        "being there to the agent having it (*written*: to the server having given it to the kernel), the record that it "
        "was handed out included. The server has a core, its clients the others; *stolen* is what the hypervisor took "
        "meanwhile, in percent of a core, *a commit* one row in plain sqlite3 on the same disk, between the commands. "
        "A command's CPU time is that of poll, completion and the next poll. Goals: < 256 MiB, < 5 %, p99 < 10 ms."
    )
    return f"### agents\n\n{about}\n\n" + "\n".join(lines)


def _measured(kind: str, size: Size) -> Figures:
    with folder() as place, _child("agents_server", str(place), str(size.agents), kind) as server:
        _keep_apart(server.pid)
        address = server.said()["listening"]
        base = _resident(server.pid)
        step = -(-size.agents // FLEETS)
        with _fleets(address, place / "keys.json", size.agents, step) as fleets:
            _await_polls(server, size.agents)
            time.sleep(min(5.0, size.idle))  # what came with so many connections settles
            idle = _idle(server.pid, size.idle)
            _await_polls(server, size.agents)
            held = _resident(server.pid)
            hosts = [f"host-{number:05}" for number in range(size.agents)]
            random.Random(1).shuffle(hosts)
            before, stolen, began = _cpu(server.pid), _stolen(), time.monotonic()
            singles, written, commits = [], [], []
            row = _row_on(place / "beside.db")
            for _ in range(size.singles):
                one = _delivered(server, fleets, [hosts.pop()])
                singles += one.had
                written += one.written
                commits.append(row())
                time.sleep(APART)
            stolen = 100 * (_stolen() - stolen) / (time.monotonic() - began)
            _await_polls(server, size.agents)
            polls = idle / 100 * (time.monotonic() - began)  # what goes on meanwhile
            command = 1000 * max(0.0, _cpu(server.pid) - before - polls) / size.singles
            bursts = []
            for _ in range(size.rounds):
                _await_polls(server, size.agents)
                bursts += _delivered(server, fleets, _take(hosts, size.burst)).had
            return Figures(base, held, idle, command, stolen, commits, written, singles, bursts)


def _take(hosts: list[str], count: int) -> list[str]:
    """So many that have had nothing yet: a host has one command."""
    taken, hosts[:] = hosts[:count], hosts[count:]
    return taken


class Delivered(NamedTuple):
    """Milliseconds from the work being there to the server having written it, and to each host having it."""

    written: list[float]
    had: list[float]


def _delivered(server: "Child", fleets: "Said", hosts: list[str]) -> Delivered:
    server.tell(deliver=hosts)
    began = server.said()["at"]
    missing, took = set(hosts), []
    while missing:
        told = fleets.next()
        missing.remove(told["host"])
        took.append((told["at"] - began) / 1e6)
    server.tell(written=1)
    return Delivered([(at - began) / 1e6 for at in server.said()["written"].values()], took)


def _await_polls(server: "Child", agents: int) -> None:
    limit = time.monotonic() + PATIENCE
    while (held := _held(server)) < agents:
        assert time.monotonic() < limit, f"{held} of {agents} agents poll"
        time.sleep(0.02)


def _held(server: "Child") -> int:
    server.tell(held=1)
    return int(server.said()["held"])


def _idle(pid: int, seconds: float) -> float:
    """Percent of a core that a process takes."""
    before, began = _cpu(pid), time.monotonic()
    time.sleep(seconds)
    return 100 * (_cpu(pid) - before) / (time.monotonic() - began)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stolen() -> float:
    """Seconds in which a core had work and the hypervisor ran something else, since the machine started."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def _row_on(file: Path) -> Callable[[], float]:
    """Commits one row, as durably as the server commits that it has handed something out, and says how many ms that took."""
    database = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE rows (at TEXT)")

    def commit() -> float:
        began = time.monotonic()
        database.execute("INSERT INTO rows VALUES (?)", (str(began),))
        return 1000 * (time.monotonic() - began)

    return commit


def _keep_apart(server: int) -> None:
    """One core for the server, as it has one in earnest, and the others for its clients, which cost more than it does."""
    cores = sorted(os.sched_getaffinity(server))
    if len(cores) > 1:
        os.sched_setaffinity(server, cores[:1])
        os.sched_setaffinity(0, cores[1:])


def _resident(pid: int) -> float:
    (line,) = (each for each in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if each.startswith("Rss:"))
    return int(line.split()[1]) / 1024


def _row(name: str, size: Size, figures: Figures, floor: Figures) -> str:
    each = 1024 * (figures.held - figures.base) / size.agents
    ratio = f"{figures.command / floor.command:.0f}" if floor is not figures and floor.command else ""
    cells = [name, f"{figures.base:.0f}", f"{figures.held:.0f}", f"{each:.1f}", f"{figures.idle:.1f}"]
    cells += [f"{figures.command:.1f}", ratio]
    cells.append(f"{figures.stolen:.1f}")
    for took in (figures.commits, figures.written, figures.singles, figures.bursts):
        cells += [f"{_quantile(took, 0.5):.2f}", f"{_quantile(took, 0.99):.2f}"]
    return "| " + " | ".join(cells) + " |"


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _allow_files(count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        sys.exit(f"agents: {count} open files are needed, and {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Said:
    """Lines of JSON from processes, as they come."""

    def __init__(self) -> None:
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        for line in process.stdout:
            self._lines.put(json.loads(line))

    def next(self) -> dict[str, Any]:
        return self._lines.get(timeout=PATIENCE)


class Child:
    """A process that is told and says lines of JSON. Its end is the end of its standard input."""

    def __init__(self, process: "subprocess.Popen[str]", said: Said) -> None:
        self.pid, self._process, self._said = process.pid, process, said

    def tell(self, **what: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def said(self) -> dict[str, Any]:
        return self._said.next()


@contextmanager
def _child(module: str, *arguments: str, said: Said | None = None) -> Iterator[Child]:
    said = said or Said()
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    where = Path(__file__).parent.parent
    process = subprocess.Popen(command, cwd=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    listening = threading.Thread(target=said.listen, args=[process], daemon=True)
    listening.start()
    try:
        yield Child(process, said)
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
        listening.join(10)
        process.stdout.close()


@contextmanager
def _fleets(address: str, keys: Path, agents: int, step: int) -> Iterator[Said]:
    """All agents, in their processes; yields what these say from then on."""
    from contextlib import ExitStack

    said = Said()
    with ExitStack() as stack:
        for first in range(0, agents, step):
            beyond = min(agents, first + step)
            stack.enter_context(_child("agents_fleet", address, str(keys), str(first), str(beyond), said=said))
        connected = 0
        while connected < agents:
            connected += said.next()["connected"]
        yield said
