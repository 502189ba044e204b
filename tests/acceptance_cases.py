"""For the acceptance tests: a forge that starts the real program, and a site for it to run on."""

import atexit
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local_git import commit, git, new_repository

FORGE = Path(__file__).parent / "acceptance" / "forge.py"
HOOKED = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")

HOOK = """#!/bin/sh
# What this host itself knows of what ran on it; the deployment's own id differs from run to run.
echo "$LIFECYCLE_EVENT begins $BUNDLE_COMMIT" >> "$PENSTOCK_ROOT/record"
echo "at work on $LIFECYCLE_EVENT"
while [ -e "$PENSTOCK_ROOT/held" ]; do sleep 0.05; done
echo "said by $LIFECYCLE_EVENT"
[ "$LIFECYCLE_EVENT" != ValidateService ] || [ ! -e "$PENSTOCK_ROOT/srv/shop/broken-on-${PENSTOCK_ROOT##*/}" ] || exit 7
echo "$LIFECYCLE_EVENT ends $BUNDLE_COMMIT" >> "$PENSTOCK_ROOT/record"
"""

APPSPEC = "version: 0.0\nos: linux\nfiles:\n  - {source: content, destination: /srv/shop}\nhooks:\n" + "".join(
    f"  {event}:\n    - {{location: hook.sh, timeout: 30}}\n" for event in HOOKED
)

MANIFEST = """penstock: v1
application: shop
platform: Server
rollback: {on: [failure]}
deployment_groups:
  staging:
    targets: {tags: {stage: staging}}
    rollout: CodeDeployDefault.AllAtOnce
  production:
    targets: {tags: {stage: production}}
    rollout: CodeDeployDefault.OneAtATime
    after: {group: staging}
"""


class Forge:
    """The forge as a child process. Processes that it started and that still run are killed with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FORGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == {"ready": True}

    def start(
        self,
        argv: list[str],
        cwd: Path,
        log: Path,
        kill_after: int | None = None,
        environ: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> int:
        """The number of a new process. *environ*: what its environment has beside ours. *out*: for its output alone."""
        order = {"argv": argv, "cwd": str(cwd), "log": str(log), "kill_after": kill_after}
        self._ask({**order, "environ": {**os.environ, **(environ or {})}, "out": out and str(out)})
        pid: int = self._answer()["pid"]
        return pid

    def wait(self, pid: int) -> int:
        self._ask({"wait": pid})
        status: int = self._answer()["status"]
        return status

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@cache
def shared_forge() -> Forge:
    """The one of this process, with which it ends."""
    made = Forge()
    atexit.register(made.close)
    return made


class Site:
    """A repository, hosts and a configuration below one folder. The state folder can be thrown away: `afresh`."""

    def __init__(self, folder: Path, production: int = 2, watch: str = "files") -> None:
        self.folder = folder
        self.repository = folder / "shop"
        self.production, self.watch = production, watch
        self.runs = 0
        new_repository(self.repository)
        (self.repository / "content").mkdir()
        (self.repository / "hook.sh").write_text(HOOK)
        (self.repository / "hook.sh").chmod(0o755)
        (self.repository / "appspec.yml").write_text(APPSPEC)
        (self.repository / "penstock.yaml").write_text(MANIFEST)
        self.afresh()

    def commit(self, message: str = "a change", **files: str) -> str:
        for name, content in {"version": message, **files}.items():
            (self.repository / "content" / name).write_text(content)
        git(self.repository, "add", "--all")
        return commit(self.repository, message)

    def afresh(self) -> None:
        """A new state folder and new hosts."""
        self.runs += 1
        self.place = self.folder / f"run-{self.runs}"
        self.state, self.hosts, self.log = self.place / "state", self.place / "hosts", self.place / "log"
        self.hosts.mkdir(parents=True)
        names = ["staging-1", *(f"production-{number}" for number in range(1, self.production + 1))]
        self.config = self.place / "penstock.toml"
        self.config.write_text(
            f'[repositories.shop]\nurl = "{self.repository}"\nwatch = "{self.watch}"\n'
            + "".join(
                f'[hosts.{name}]\ntransport = "local"\nfolder = "{self.hosts / name}"\n'
                f'tags = {{stage = "{name.split("-")[0]}"}}\n'
                for name in names
            )
        )
        for name in names:
            (self.hosts / name).mkdir()

    def keep(self) -> None:
        """Remember the state folder and the hosts as they are now."""
        shutil.copytree(self.place, self.folder / "kept", symlinks=True)

    def restore(self) -> None:
        """Put them back as they were."""
        shutil.rmtree(self.place)
        shutil.copytree(self.folder / "kept", self.place, symlinks=True)

    def argv(self, *verb: str) -> list[str]:
        return ["--config", str(self.config), "--state", str(self.state), *verb]

    def records(self) -> dict[str, list[str]]:
        """What each host says happened on it."""
        return {
            host.name: (host / "record").read_text().splitlines() if (host / "record").exists() else []
            for host in sorted(self.hosts.iterdir())
        }

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the state folder's database, as an outsider."""
        if not (self.state / "penstock.db").exists():
            return []
        database = sqlite3.connect(f"file:{self.state / 'penstock.db'}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []  # not migrated yet
        finally:
            database.close()

    def outcome(self) -> list[tuple[Any, ...]]:
        """Group, creator and status of every deployment, in order, and of their targets and lifecycle events."""
        deployments = self.query("SELECT group_name, creator, status FROM deployments ORDER BY number")
        events = self.query(
            "SELECT d.number, e.target, e.name, e.status FROM lifecycle_events e JOIN deployments d ON d.id = deployment_id"
            " ORDER BY 1, 2, e.event"
        )
        return [*deployments, *events]

    def settled(self, deployments: int) -> bool:
        """Whether there are that many deployments and all have ended."""
        rows = self.query("SELECT status FROM deployments")
        return len(rows) >= deployments and all(row[0] in ("Succeeded", "Failed", "Stopped") for row in rows)


def is_dead(pid: int) -> bool:
    """Whether a child of the forge has ended (it stays a zombie until it is waited for)."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60, log: Path | None = None) -> None:
    """Wait for *condition*; on the way to failing, show *log*."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            said = log.read_text() if log and log.exists() else ""
            raise AssertionError(f"{what} did not happen within {seconds} s\n{said}")
        time.sleep(0.02)
