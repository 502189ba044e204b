"""`penstock serve` as a real process with a listener on loopback, and its clients: keys, the AWS CLI, boto3."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_LISTENING = re.compile(r"listening on (\S+)")
_START_WITHIN = 60.0  # seconds


class Server:
    """One `penstock serve`. *url*: where it listens; the same after a restart."""

    def __init__(self, config: Path, state: Path, environment: Mapping[str, str]) -> None:
        self._options = ["--config", str(config), "--state", str(state)]
        self._environment = {**os.environ, **environment}
        self._log = config.with_name(config.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._address = "127.0.0.1:0"

    @property
    def url(self) -> str:
        return f"http://{self._address}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command("serve", "--listen", self._address),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        deadline = time.monotonic() + _START_WITHIN
        while not (found := _LISTENING.search(self.log)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"penstock serve does not listen:\n{self.log}")
            time.sleep(0.02)
        self._address = found[1]

    def penstock(self, *arguments: str) -> Any:
        """What a verb on the same state folder says with `--output json`."""
        done = subprocess.run(
            self._command("--output", "json", *arguments), env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def key(self, role: str = "admin", *options: str) -> dict[str, str]:
        """A new access key, as the environment variables that AWS's clients read."""
        made = self.penstock("keys", "create", "--role", role, *options)
        return {"AWS_ACCESS_KEY_ID": made["access_key_id"], "AWS_SECRET_ACCESS_KEY": made["secret_access_key"]}

    def stop(self) -> int:
        """Ask it to end, and wait until it has."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "runner", *self._options, *arguments]


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
