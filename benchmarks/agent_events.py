"""Seven lifecycle events through our own agent: `penstock serve`, the agent as its one file, deployments by the wire API."""

import datetime as dt
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import boto3

from benchmarks.measure import Sample, Table, in_turns
from benchmarks.site import folder, git

T = TypeVar("T")

RUNS = 20
PATIENCE = 60.0  # seconds until something has gone wrong
LOOK = 0.005  # seconds between two looks at whether a deployment has ended

HOOK = "#!/bin/sh\nexec /bin/true\n"
CASES = {  # deployment group: the events that run the hook
    "empty": (),
    "hooks": ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"),
}
NAMES = {"empty": "seven empty events", "hooks": "seven events, five hooks"}
ROLE = "arn:aws:iam::000000000000:role/benchmark"
TIMES = "SELECT min(handed_out_at), max(completed_at) FROM host_commands WHERE deployment_id = ?"
STATUS = "SELECT status FROM deployments WHERE id = ? AND completed_at IS NOT NULL"


def measure(runs: int, *, small: bool = False) -> Table:
    with folder() as place, serving(place) as server, _agent(place, server):
        takes = [take for case in CASES for take in (partial(_floor, place, case), partial(_deployed, server, case))]
        for take in takes * (1 if small else 3):
            take()  # never the very first; ApplicationStop has its script from the second deployment on
        rows = in_turns(takes, runs)
    return Table(
        title="agent_events",
        about="One host with our agent, and deployments by CreateDeployment of one small file from a git repository: from "
        "the call to the deployment being recorded as Succeeded. Below it, from the first command's handing-out to the "
        "last one's completion, as recorded. The floor is one shell that copies the file and runs the same scripts; it "
        "records nothing. Goal: < 620 ms, a tenth of the 6.2 s that the official agent as shipped takes for seven empty "
        "commands (measured elsewhere).",
        rows=rows,
        floors={_row(case, "penstock"): _row(case, "one shell") for case in CASES},
    )


def _row(case: str, who: str) -> str:
    return f"{NAMES[case]}: {who}"


def _floor(place: Path, case: str) -> dict[str, Sample]:
    hooks = "; ".join([str(place / "shop" / "hook.sh")] * len(CASES[case]))
    command = f"mkdir -p {place / 'floor'}; cp {place / 'shop' / 'page'} {place / 'floor'}; {hooks}"
    began = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", command], check=True)
    return {_row(case, "one shell"): Sample(time.perf_counter() - began)}


def _deployed(server: "Server", case: str) -> dict[str, Sample]:
    revision = {
        "revisionType": "GitHub",
        "gitHubLocation": {"repository": "shop", "commitId": server.commits[case]},
    }
    began = time.time()
    made = server.api.create_deployment(applicationName="shop", deploymentGroupName=case, revision=revision)
    ended = server.await_end(made["deploymentId"])
    first, last = server.row(TIMES, made["deploymentId"])
    between = dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)
    return {
        _row(case, "penstock"): Sample(ended - began),
        f"  {case}, first command to last completion": Sample(between.total_seconds()),
    }


class Server:
    """A running `penstock serve` on *place*, with a repository whose *commits* are named by the cases."""

    def __init__(self, place: Path) -> None:
        self._options = ["--config", str(place / "penstock.toml"), "--state", str(place / "state")]
        self._database, self._log = place / "state" / "penstock.db", place / "serve.log"
        self.commits = _repository(place / "shop")
        self.api: Any = None
        self.url = ""

    @contextmanager
    def running(self) -> Iterator["Server"]:
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "runner", *self._options, "serve", "--listen", "127.0.0.1:0"]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.url = "http://" + self._await(lambda: re.search(r"listening on (\S+)", self._log.read_text()))[1]
            self.api = self._client()
            yield self
        finally:
            _end(process)

    def penstock(self, *arguments: str) -> Any:
        """What a verb says with `--output json`."""
        command = [sys.executable, "-m", "runner", *self._options, "--output", "json", *arguments]
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    def await_end(self, deployment: str) -> float:
        """When *deployment* was seen to have succeeded, as seconds since the epoch."""
        (status,) = self._await(lambda: self.row(STATUS, deployment))
        ended = time.time()
        assert status == "Succeeded", self._log.read_text()
        return ended

    def row(self, sql: str, *values: str) -> Any:
        """The first row that the database answers with, as an outsider sees it."""
        database = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql, values).fetchone()
        finally:
            database.close()

    def _await(self, look: Callable[[], T | None]) -> T:
        limit = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < limit, self._log.read_text()
            time.sleep(LOOK)
        return found

    def _client(self) -> Any:
        key = self.penstock("keys", "create", "--role", "admin")
        client = boto3.client(
            "codedeploy",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
        )
        client.create_application(applicationName="shop", computePlatform="Server")
        for group in CASES:
            client.create_deployment_group(
                applicationName="shop",
                deploymentGroupName=group,
                serviceRoleArn=ROLE,
                deploymentConfigName="CodeDeployDefault.AllAtOnce",
                onPremisesInstanceTagFilters=[{"Key": "stage", "Value": "all", "Type": "KEY_AND_VALUE"}],
            )
        return client


@contextmanager
def serving(place: Path) -> Iterator[Server]:
    (place / "penstock.toml").write_text(
        f'[repositories.shop]\nurl = "{place / "shop"}"\ninterval = "1h"\n'
        f'[hosts.web-1]\ntransport = "agent"\nfolder = "{place / "host"}"\ntags = {{stage = "all"}}\n'
    )
    (place / "host").mkdir()
    with Server(place).running() as server:
        yield server


@contextmanager
def _agent(place: Path, server: Server) -> Iterator[None]:
    """The agent of web-1, from its one file, enrolled as a user would."""
    file, config = str(place / "penstock-agent.pyz"), ["--config", str(place / "agent.json")]
    subprocess.run([sys.executable, "-m", "runner", "agent", "build", file], check=True, stdout=subprocess.DEVNULL)
    token = server.penstock("keys", "enrol", "web-1")["token"]
    agent = [sys.executable, "-I", "-S", file]
    state = ["--host-state", str(place / "agent")]
    with (place / "agent.log").open("wb") as log:
        enrol = [*agent, "enrol", "--server", server.url, "--token", token, *config, *state]
        subprocess.run(enrol, check=True, stdout=log, stderr=log)
        process = subprocess.Popen([*agent, "run", *config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


def _repository(place: Path) -> dict[str, str]:
    """A work tree with a commit for each case."""
    place.mkdir()
    (place / "page").write_text("hello")
    (place / "hook.sh").write_text(HOOK)
    (place / "hook.sh").chmod(0o755)
    git(place, "init", "--quiet", "--initial-branch=main")
    return {case: _commit(place, case, hooked) for case, hooked in CASES.items()}


def _commit(place: Path, case: str, hooked: Sequence[str]) -> str:
    files = f"version: 0.0\nos: linux\nfiles:\n  - {{source: page, destination: /srv/{case}}}\n"
    hooks = "".join(f"  {event}:\n    - {{location: hook.sh, timeout: 30}}\n" for event in hooked)
    (place / "appspec.yml").write_text(files + (f"hooks:\n{hooks}" if hooks else ""))
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", case)
    return git(place, "rev-parse", "HEAD")
