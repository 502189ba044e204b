"""Signed pushes of GitHub's, as fast as they are taken: ours beside what takes them without storing anything.

Every receiver checks the signature of the same payload. wrk sends it on 64 connections, each time with another delivery ID.
"""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.cpu import Counted
from benchmarks.site import folder
from benchmarks.webhooks_payload import SECRET, push, signature

RUNS = 3
PATIENCE = 60.0  # seconds until a receiver that does not listen has failed
OURS, BARE = "penstock serve, durable", "bare framework, signature checked"
GO, OCTOKIT = "webhook (Go) running /bin/true", "octokit's receiver (Node)"

_LUA = """
local threads, sent = 0, 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init(args)
  run, signature, body = args[1], args[2], io.open(args[3], "rb"):read("*a")
end
function request()
  sent = sent + 1
  return wrk.format("POST", "/webhooks/shop", {
    ["Content-Type"] = "application/json", ["User-Agent"] = "GitHub-Hookshot/044aadd", ["X-GitHub-Event"] = "push",
    ["X-Hub-Signature-256"] = signature, ["X-GitHub-Delivery"] = run .. "-" .. number .. "-" .. sent }, body)
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

_NODE = """
import { createServer } from "node:http";
import { Webhooks, createNodeMiddleware } from "@octokit/webhooks";
const webhooks = new Webhooks({ secret: process.argv[2] });
const taken = createNodeMiddleware(webhooks, { path: "/webhooks/shop" });
createServer(taken).listen(Number(process.argv[3]), "127.0.0.1");
"""


class Sample(NamedTuple):
    """*rate*: requests a second; *p50*, *p99*: ms; *cpu*: us of the receiver and its children for one; None: not counted.

    *failed*: requests without a 2xx; *lost*: acknowledged and not in the database, None where nothing is stored.
    """

    rate: float
    p50: float
    p99: float
    cpu: float | None
    failed: int
    lost: int | None


class Place:
    """A folder with what the receivers need."""

    def __init__(self, where: Path, *, seconds: float) -> None:
        self.folder, self.seconds, self.runs = where, seconds, 0
        (where / "wrk.lua").write_text(_LUA)
        self.npm = _npm(where / "npm")
        self.payload = push(where / "npm" if self.npm else None)
        (where / "payload.json").write_bytes(self.payload)

    def cases(self) -> list[str]:
        """What can be measured here."""
        return [OURS, BARE, *([GO] if shutil.which("webhook") else []), *([OCTOKIT] if self.npm else [])]


def measure(runs: int, *, small: bool = False) -> str:
    if not shutil.which("wrk"):
        return "### webhooks\n\nNot measured: there is no `wrk` here (Debian: apt-get install wrk webhook npm)."
    with folder() as where:
        place = Place(where, seconds=1.0 if small else 8.0)
        samples: dict[str, list[Sample]] = {name: [] for name in place.cases()}
        for _ in range(runs):
            for name, taken in samples.items():
                taken.append(_taken(place, name))
    about = (
        f"A push of {len(place.payload):,} bytes, signed, on 64 connections for {place.seconds:g} s; rounds: {runs}. Ours "
        "is `penstock serve` as people run it: each delivery is in the database, durably, before it is acknowledged, and "
        "the repository is looked at meanwhile. The others store nothing. *x Go*: median of the rounds' ratios. *lost*: "
        "acknowledged, and not found in the database afterwards. Goals: 4 x the Go tool, more than octokit's, p99 < 50 ms."
    )
    head = ["case", "requests/s", "min", "max", "x Go", "p50 ms", "p99 ms", "CPU us each", "failed", "lost"]
    lines = [head, ["-"] * len(head), *(_row(name, samples) for name in samples)]
    return f"### webhooks\n\n{about}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _row(name: str, samples: dict[str, list[Sample]]) -> list[str]:
    mine = samples[name]
    rates = [each.rate for each in mine]
    pairs = zip(rates, (each.rate for each in samples.get(GO, ())), strict=False)
    ratios = [one / other for one, other in pairs if other]
    cpus = [each.cpu for each in mine if each.cpu is not None]
    lost = [each.lost for each in mine if each.lost is not None]
    return [
        name,
        *(f"{each:,.0f}" for each in (median(rates), min(rates), max(rates))),
        f"{median(ratios):.1f}" if ratios else "",
        f"{median(each.p50 for each in mine):.1f}",
        f"{median(each.p99 for each in mine):.1f}",
        f"{median(cpus):.0f}" if cpus else "",
        str(sum(each.failed for each in mine)),
        str(sum(lost)) if lost else "",
    ]


def _taken(place: Place, name: str) -> Sample:
    place.runs += 1
    with _receiver(place, name) as (process, port, database):
        _wrk(place, port, f"warm-{place.runs}", 1.0)
        before, acknowledged = process.cpu(), _rows(database)
        told = _wrk(place, port, f"run-{place.runs}", place.seconds)
        after, stored = process.cpu(), _rows(database)
    answered = told["requests"] - told["failed"]
    cpu = None if before is None or after is None else 1e6 * (after - before) / max(1, told["requests"])
    lost = None if database is None else max(0, int(answered) - (stored - acknowledged))
    return Sample(told["requests"] / told["seconds"], told["p50"], told["p99"], cpu, int(told["failed"]), lost)


def _wrk(place: Place, port: int, run: str, seconds: float) -> dict[str, float]:
    command = ["wrk", "-t", "1", "-c", "64", "-d", f"{seconds:g}s", "--latency", "-s", str(place.folder / "wrk.lua")]
    command += [f"http://127.0.0.1:{port}", "--", run, signature(place.payload), str(place.folder / "payload.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30)
    told: dict[str, float] = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    return told


def _rows(database: Path | None) -> int:
    if database is None:
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        return int(connection.execute("SELECT count(*) FROM deliveries").fetchone()[0])
    finally:
        connection.close()


@contextmanager
def _receiver(place: Place, name: str) -> Iterator[tuple[Counted, int, Path | None]]:
    """The process of *name*, once it listens, its port, and its database."""
    port, where = _free_port(), place.folder / f"run-{place.runs}"
    where.mkdir()
    command, database = _command(place, name, port, where)
    with (where / "log").open("wb") as log:
        process = Counted(command, stdout=log, stderr=log, cwd=where, env=_environment(name))
    try:
        _await_listening(process, port, where / "log")
        yield process, port, database
    finally:
        process.end()


def _environment(name: str) -> dict[str, str]:
    checkout = {"PYTHONPATH": str(Path(__file__).parent.parent)} if name == BARE else {}
    return {**os.environ, "SHOP_HOOK": SECRET, **checkout}


def _command(place: Place, name: str, port: int, where: Path) -> tuple[list[str], Path | None]:
    if name == OURS:
        (where / "penstock.toml").write_text(_config(where))
        options = ["--config", "penstock.toml", "--state", "state"]
        serve = [sys.executable, "-m", "runner", *options, "serve", "--listen", f"127.0.0.1:{port}"]
        return serve, where / "state/penstock.db"
    if name == BARE:
        return [sys.executable, "-m", "benchmarks.webhooks_bare", str(port)], None
    if name == GO:
        (where / "hooks.json").write_text(json.dumps([_HOOK]))
        return [
            "webhook",
            "-hooks",
            "hooks.json",
            "-ip",
            "127.0.0.1",
            "-port",
            str(port),
            "-urlprefix",
            "webhooks",
        ], None
    script = place.folder / "npm/receive.mjs"
    script.write_text(_NODE)
    return ["node", str(script), SECRET, str(port)], None


def _config(where: Path) -> str:
    subprocess.run(["git", "init", "--quiet", "--bare", str(where / "shop.git")], check=True)
    return (
        f'[repositories.shop]\nurl = "{where}/shop.git"\n'
        '[repositories.shop.webhook]\nfrom = "github"\nsecrets = ["env:SHOP_HOOK"]\n'
    )


_HOOK = {
    "id": "shop",
    "execute-command": "/bin/true",
    "http-methods": ["POST"],
    "trigger-rule-mismatch-http-response-code": 403,
    "trigger-rule": {
        "match": {
            "type": "payload-hmac-sha256",
            "secret": SECRET,
            "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
        }
    },
}


def _npm(where: Path) -> bool:
    """Whether octokit's packages could be installed."""
    if not shutil.which("npm"):
        return False
    where.mkdir()
    (where / "package.json").write_text('{"private": true}')
    packages = ["@octokit/webhooks@14.2.0", "@octokit/webhooks-examples@7.6.1"]
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
    return subprocess.run(command, cwd=where, capture_output=True, timeout=300, check=False).returncode == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _await_listening(process: Counted, port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if process.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not listen: {log.read_text(errors='replace')}") from error
            time.sleep(0.05)
