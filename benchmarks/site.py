"""A repository, hosts, a configuration, and the real `penstock serve` on them, in a folder of their own."""

import datetime as dt
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cpu import Counted

MANIFEST = """penstock: v1
application: shop
platform: Server
deployment_groups:
  all:
    targets: {tags: {stage: all}}
    rollout: CodeDeployDefault.AllAtOnce
"""
GIT = {
    **{f"GIT_{who}_{what}": "benchmark@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Site:
    """Everything below *folder*. *hook*: the script that runs at each of *hooked*. *files*: how many are installed."""

    def __init__(self, folder: Path, *, hosts: int, hook: str, hooked: Sequence[str], files: int = 10) -> None:
        self.folder, self.state, self.log = folder, folder / "state", folder / "log"
        self.hosts = [folder / "hosts" / f"host-{number:03}" for number in range(1, hosts + 1)]
        self.repository = Repository(folder / "shop", hook, hooked, files)
        for host in self.hosts:
            host.mkdir(parents=True)
        self.config = folder / "penstock.toml"
        self.config.write_text(
            f'[repositories.shop]\nurl = "{self.repository.folder}"\nwatch = "files"\n'
            + "".join(
                f'[hosts.{host.name}]\ntransport = "local"\nfolder = "{host}"\ntags = {{stage = "all"}}\n'
                for host in self.hosts
            )
        )

    @contextmanager
    def served(self) -> Iterator[Counted]:
        """`penstock serve` runs, and has deployed one commit: what is measured is never the very first time."""
        arguments = ["--config", str(self.config), "--state", str(self.state), "serve"]
        with self.log.open("wb") as log:
            server = Counted([sys.executable, "-m", "runner", *arguments], cwd=self.folder, stdout=log, stderr=log)
        try:
            self.await_end(self.repository.commit())
            yield server
        finally:
            server.end()

    def await_end(self, commit: str) -> dict[str, Any]:
        """Wait for the deployment of *commit* to succeed; its row, with times as seconds since the epoch."""
        self.await_(lambda: (self._deployment(commit) or {}).get("completed_at"))
        found = self._deployment(commit)
        assert found and found["status"] == "Succeeded", self.log.read_text()
        return found

    def await_(self, condition: Callable[[], Any], seconds: float = 120) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, self.log.read_text()
            time.sleep(0.01)

    def row(self, sql: str, *values: str) -> dict[str, Any] | None:
        """The first row that the database answers with, as an outsider sees it; None before there is one."""
        if not (self.state / "penstock.db").exists():
            return None
        database = sqlite3.connect(f"file:{self.state / 'penstock.db'}?mode=ro", uri=True, timeout=30)
        database.row_factory = sqlite3.Row
        try:
            found = database.execute(sql, values).fetchone()
        except sqlite3.OperationalError:
            return None  # not migrated yet
        finally:
            database.close()
        return {key: _seconds(value) if key.endswith("_at") else value for key, value in dict(found or {}).items()}

    def _deployment(self, commit: str) -> dict[str, Any] | None:
        sql = "SELECT id, status, created_at, started_at, completed_at FROM deployments WHERE revision LIKE ?"
        return self.row(sql, f"%{commit}%")


class Repository:
    """A work tree with an application in it."""

    def __init__(self, folder: Path, hook: str, hooked: Sequence[str], files: int) -> None:
        self.folder, self._commits = folder, 0
        (folder / "content").mkdir(parents=True)
        for number in range(files):
            (folder / "content" / f"file-{number}").write_bytes(os.urandom(20_000))
        (folder / "hook.sh").write_text(hook)
        (folder / "hook.sh").chmod(0o755)
        (folder / "penstock.yaml").write_text(MANIFEST)
        (folder / "appspec.yml").write_text(
            "version: 0.0\nos: linux\nfiles:\n  - {source: content, destination: /srv/shop}\nhooks:\n"
            + "".join(f"  {event}:\n    - {{location: hook.sh, timeout: 30}}\n" for event in hooked)
        )
        self.git("init", "--quiet", "--initial-branch=main")

    def change(self) -> None:
        """Something new to commit, already staged."""
        self._commits += 1
        (self.folder / "content" / "version").write_text(f"{self._commits}\n")
        self.git("add", "--all")

    def commit(self) -> str:
        """Returns the commit ID."""
        self.change()
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        return git(self.folder, *arguments)


def git(folder: Path, *arguments: str) -> str:
    """What git says in *folder*, without the user's own configuration."""
    environment = {**os.environ, **GIT}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one benchmark, gone afterwards."""
    with TemporaryDirectory(prefix="penstock-benchmark-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _seconds(value: str | None) -> float | None:
    return None if value is None else dt.datetime.fromisoformat(value).timestamp()
