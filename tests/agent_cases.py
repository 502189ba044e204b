"""The agent as its users have it: one zipapp in a process of its own, on a host that is a folder, against `agent_server`."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_server import REGION, AgentServer, Event, public_key
from host_cases import EVENTS, appspec, commands, job, tgz
from processes import kill
from waiting import until

import runner
from runner.model.appspec import AppSpec, Script
from runner.model.revision import Bundle
from runner.model.target import Host
from runner.platforms.server.agent import agent_zipapp
from runner.platforms.server.requests import request_for

HOST = "web-1"


def interpreters() -> list[str]:
    """Every Python from 3.8 on that this machine has: in its PATH, or kept by pyenv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = [str(path) for path in root.glob("versions/3.*/bin/python3")]
    in_path = [shutil.which(f"python3.{minor}") for minor in range(8, 16)]
    found: dict[str, str] = {}
    for each in [sys.executable, *kept, *filter(None, in_path)]:
        asked = "import sys; print(sys.version_info >= (3, 8), *sys.version_info[:2])"
        done = subprocess.run([each, "-c", asked], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.startswith("True"):
            found.setdefault(done.stdout, each)
    return list(found.values())


class AgentHost:
    """One host below *folder*, with an agent that `start` starts. Everything it logged is in `said`."""

    def __init__(self, folder: Path, server: AgentServer, python: str = sys.executable) -> None:
        self.folder, self.server, self.python = folder, server, python
        self.root = folder / "host"
        self.root.mkdir()
        self.state = folder / "agent"
        self.config = folder / "agent.json"
        self.zipapp = folder / "penstock-agent.pyz"
        self.zipapp.write_bytes(agent_zipapp())
        self.in_place = False  # as `penstock agent run`, without a zipapp
        self.process: subprocess.Popen[bytes] | None = None
        self._made = 0
        server.add_key(HOST)
        self.configure()

    def configure(self, **members: Any) -> None:
        settings = {
            "server": self.server.url,
            "host": HOST,
            "access_key_id": "PKAGENT",
            "secret_access_key": "secret of the agent",
            "region": REGION,
            "signing_key": public_key(),
            "state": str(self.state),
        }
        fresh = self.config.with_suffix(".fresh")
        fresh.write_text(json.dumps(settings | members))
        fresh.replace(self.config)

    @property
    def command(self) -> list[str]:
        return [self.python, "-m", "runner", "agent"] if self.in_place else [self.python, "-I", "-S", str(self.zipapp)]

    @property
    def said(self) -> str:
        path = self.folder / "said"
        return path.read_text() if path.exists() else ""

    def start(self, **environment: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [*self.command, "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={"PATH": os.environ["PATH"], **environment},
                cwd=Path(runner.__file__).parent.parent if self.in_place else "/",
            )
        return self.process

    def kill(self) -> None:
        """As a crash would: no word to anybody."""
        assert self.process is not None
        kill(self.process.pid, parent=os.getpid())
        self.process.wait()

    def stop(self) -> int:
        """End it in good order; its exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return process.wait(30)

    def bundle(self, files: Mapping[str, str | bytes]) -> Bundle:
        """A script may leave out its first line."""
        whole = {
            name: f"#!/bin/sh\n{content}\n" if name.endswith(".sh") and isinstance(content, str) else content
            for name, content in files.items()
        }
        self._made += 1
        return tgz(self.folder / f"bundle{self._made}.tgz", whole)

    def request(
        self, bundle: Bundle, spec: AppSpec, deployment: str = "d-1", group: str = "group-1", **limits: float
    ) -> dict[str, Any]:
        """As the server signs it: without event, attempt and path of the bundle."""
        made = job(bundle, spec, deployment, group)
        command = commands(made, Host(name=HOST, folder=str(self.root), transport="local"))[0]
        request = request_for(command, {"term_grace": 0.3, "drain_grace": 0.3, **limits})
        del request["event"], request["attempt"], request["bundle"]["path"]
        return request

    def deploy(
        self,
        files: Mapping[str, str | bytes],
        hooks: Mapping[str, list[str | Script]] | None = None,
        copies: Mapping[str, str] | None = None,
        deployment: str = "d-1",
        group: str = "group-1",
        events: Sequence[str] = EVENTS,
        attempt: int = 1,
    ) -> list[Event]:
        """Have the server deploy this here. Returns the events, as they will end."""
        bundle = self.bundle(files)
        request = self.request(bundle, appspec(copies, hooks), deployment, group)
        return self.server.deploy(HOST, request, Path(bundle.path), events, attempt=attempt)


def is_over(events: Sequence[Event]) -> bool:
    """Whether the deployment has succeeded or failed."""
    return bool(events[-1].completes) or any(event.completes and not event.succeeded for event in events)


async def ended(events: Sequence[Event], within: float = 40.0) -> list[str]:
    """Wait for the end of a deployment. How each event ended, as far as they got."""
    await until(lambda: is_over(events), within=within)
    return [event.completes[0]["status"] for event in events if event.completes]
