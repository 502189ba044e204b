"""`penstock serve` as a real process with a listener on loopback, and its clients: keys, the AWS CLI, boto3."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from acceptance_cases import is_dead, shared_forge

_LISTENING = re.compile(r"listening on (\S+)")
_START_WITHIN = 60.0  # seconds


class Server:
    """One `penstock serve`. *url*: where it listens; the same after a restart."""

    def __init__(self, config: Path, state: Path, environment: Mapping[str, str]) -> None:
        self._options = ["--config", str(config), "--state", str(state)]
        self._environment = {**os.environ, **environment}
        self._log = config.with_name(config.name + ".log")
        self._database = state / "penstock.db"
        self._pid: int | None = None
        self._runs = False
        self._address = "127.0.0.1:0"

    @property
    def url(self) -> str:
        return f"http://{self._address}"

    @property
    def pid(self) -> int:
        assert self._pid is not None
        return self._pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._log.write_bytes(b"")
        self._pid = self._run(self._log, "serve", "--listen", self._address)
        self._runs = True
        deadline = time.monotonic() + _START_WITHIN
        while not (found := _LISTENING.search(self.log)):
            if is_dead(self._pid) or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"penstock serve does not listen:\n{self.log}")
            time.sleep(0.01)
        self._address = found[1]

    def penstock(self, *arguments: str) -> Any:
        """What a verb on the same state folder says with `--output json`."""
        said, complaints = (self._log.with_suffix(f".{name}") for name in ("said", "complaints"))
        status = shared_forge().wait(self._run(complaints, "--output", "json", *arguments, out=said))
        assert status == 0, f"{arguments}: {complaints.read_text()}"
        return json.loads(said.read_text())

    def status(self, deployment_id: str) -> str:
        """Of a deployment, as an outsider sees it in the database; empty when there is no such."""
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=30)) as database:
            found = database.execute("SELECT status FROM deployments WHERE id = ?", (deployment_id,)).fetchone()
        return str(found[0]) if found else ""

    def key(self, role: str = "admin", *options: str) -> dict[str, str]:
        """A new access key, as the environment variables that AWS's clients read."""
        made = self.penstock("keys", "create", "--role", role, *options)
        return {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}

    def stop(self) -> int:
        """Ask it to end, and wait until it has."""
        assert self._runs
        os.kill(self.pid, signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """End it as a power cut would. It may have ended before."""
        if self._runs:
            os.kill(self.pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        self._runs = False  # its number may be another's from now on
        return shared_forge().wait(self.pid)

    def _run(self, log: Path, *arguments: str, out: Path | None = None) -> int:
        argv = [*self._options, *arguments]
        return shared_forge().start(argv, Path.cwd(), log, environ=self._environment, out=out)


@contextlib.contextmanager
def serving(config: Path, state: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A running server, ended afterwards."""
    server = Server(config, state, environment or {})
    server.start()
    try:
        yield server
    finally:
        server.kill()


class AwsCli:
    """The AWS CLI, pointed at a server and at an S3."""

    def __init__(self, server: Server, key: Mapping[str, str], environment: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._environment = {
            **kept,
            **environment,
            **key,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_CODEDEPLOY": server.url,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }

    def __call__(self, *arguments: str, cwd: Path | None = None) -> Any:
        """The answer of a command that succeeds; its text where that is not JSON."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def run(self, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        aws = Path(sys.executable).with_name("aws")
        return subprocess.run(
            [str(aws), "--output", "json", *arguments],
            env=self._environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
