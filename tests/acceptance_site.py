"""For acceptance tests with AWS: a checkout to deploy from, and a server that is started again when it was killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_git import commit, git, new_repository
from serving import Server

_PATIENCE = 90.0  # seconds


class Checkout:
    """A repository with one commit of *files*."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        new_repository(folder)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", ".")
        self.commit = commit(folder)

    def deploy(self, config: Path, state: Path, environment: Mapping[str, str]) -> list[str]:
        """Have its commit recorded for deployment; the server carries it out. IDs of the deployments."""
        options = ["--config", str(config), "--state", str(state)]
        done = subprocess.run(
            [sys.executable, "-m", "runner", *options, "--output", "json", "deploy", "--detach"],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [each["id"] for each in json.loads(done.stdout)["deployments"]]


def until_ended(server: Server, deployment_id: str, *, killed: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """The deployment once it has ended. When the server was *killed*, it is started again, once."""
    deadline, restarted = time.monotonic() + _PATIENCE, False
    while time.monotonic() < deadline:
        if killed() and not restarted:
            server.kill()  # it is dead already; this takes note of it
            server.start()
            restarted = True
        if server.status(deployment_id) in ("Succeeded", "Failed", "Stopped"):
            deployment: dict[str, Any] = server.penstock("show", deployment_id)["deployment"]
            return deployment
        time.sleep(0.02)
    raise AssertionError(f"{deployment_id} has not ended:\n{server.log}")
