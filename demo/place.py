"""The place where the demo happens: a temporary folder with a bare repository, a clone of it, and five hosts."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
STAGES = {"staging": 1, "production": 4}  # stage to number of hosts

_GIT = ("git", "-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")
_CLEAN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


class Host(NamedTuple):
    """A host of the demo: a folder that stands for its `/`, and the port that its shop listens on."""

    name: str
    stage: str
    port: int
    folder: Path


class Place:
    """Everything that the demo makes, below *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "penstock.toml"
        self.state = folder / "state"
        self.clone = folder / "clone"
        self.hosts = _hosts(folder / "hosts")

    def prepare(self) -> None:
        """Make the repository, its clone, the hosts' folders and the runner's configuration."""
        for host in self.hosts:
            host.folder.mkdir(parents=True)
        self.config.write_text(_configuration(self.hosts))
        self._git("init", "--quiet", "--bare", "--initial-branch=main", "shop.git", cwd=self.folder)
        self._git("clone", "--quiet", "shop.git", "clone", cwd=self.folder)
        self._git("symbolic-ref", "HEAD", "refs/heads/main")

    def push(self, files: Path, message: str) -> str:
        """Lay *files* over the clone, commit, push. Returns the commit ID."""
        shutil.copytree(files, self.clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        self._git("push", "--quiet", "origin", "main")
        return self._git("rev-parse", "HEAD")

    def end_applications(self) -> None:
        """End every shop that still runs, by the process ID that its start script has written down."""
        pids = [pid for host in self.hosts if (pid := _pid_of(host))]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        while any(_pid_of(host) for host in self.hosts) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _git(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [*_GIT, *arguments], cwd=cwd or self.clone, env=os.environ | _CLEAN, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"demo: git {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout.strip()


def _hosts(folder: Path) -> tuple[Host, ...]:
    names = [(f"{stage}-{number}", stage) for stage, many in STAGES.items() for number in range(1, many + 1)]
    ports = _free_ports(len(names))
    return tuple(Host(name, stage, port, folder / name) for (name, stage), port in zip(names, ports, strict=True))


def _free_ports(many: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.socket()) for _ in range(many)]
        for each in opened:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in opened]


def _configuration(hosts: tuple[Host, ...]) -> str:
    # The hosts' scripts find `python3` by PATH; the interpreter that runs the demo comes first, so that it is there.
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    parts = ['[repositories.shop]\nurl = "shop.git"\nwatch = "files"\n']
    parts += [
        f"[hosts.{host.name}]\n"
        f'folder = "hosts/{host.name}"\n'
        f'tags = {{app = "shop", stage = "{host.stage}"}}\n'
        f'environment = {{STAGE = "{host.stage}", PORT = "{host.port}", PATH = "{path}"}}\n'
        for host in hosts
    ]
    return "\n".join(parts)


def _pid_of(host: Host) -> int | None:
    """The process of the host's shop, None when it does not run (any more)."""
    try:
        pid = int((host.folder / "run/shop.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"srv/shop/shop.py" in command else None
