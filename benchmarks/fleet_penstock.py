"""Penstock as contender: `penstock deploy` of a checkout, the whole command, with a state folder of its own.

Twice: to hosts and with a state folder that have never seen it, so that the executor travels and the database is made;
and once more, with new content. ApplicationStop runs the scripts of the revision before, so the first time has one less.
"""

import datetime as dt
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet_client import Command
from benchmarks.fleet_hosts import Fleet, SshHost
from benchmarks.fleet_work import DESTINATION, HOOKED, SIZE, Work
from benchmarks.site import git

MANIFEST = """penstock: v1
application: shop
platform: Server
deployment_groups:
  all: {targets: {tags: {stage: all}}, rollout: CodeDeployDefault.AllAtOnce}
  half: {targets: {tags: {stage: all}}, rollout: CodeDeployDefault.HalfAtATime}
"""
HOST = """[hosts.{host.name}]
transport = "ssh"
address = "127.0.0.1"
port = {host.port}
user = "{fleet.user}"
identity_file = "{fleet.identity}"
known_hosts = "{fleet.known_hosts}"
folder = "{host.root}"
tags = {{stage = "all"}}
"""


class Penstock:
    """*work*: what HEAD of its checkout has, which changes with every `commands`."""

    def __init__(self, fleet: Fleet, place: Path) -> None:
        self._fleet, self._place, self._rollouts = fleet, place, 0
        self.work = Work(place)
        checkout = self.work.source
        hooks = "".join(f"  {event}: [{{location: hooks/{event}, timeout: 30}}]\n" for event in HOOKED)
        files = f"files: [{{source: content, destination: /{DESTINATION}}}]\n"
        (checkout / "appspec.yml").write_text(f"version: 0.0\nos: linux\n{files}hooks:\n{hooks}")
        (checkout / "penstock.yaml").write_text(MANIFEST)
        git(checkout, "init", "--quiet", "--initial-branch=main")

    def recorded(self) -> float:
        """How long the last deployment took, in seconds, from its creation to its completion."""
        database = sqlite3.connect(f"file:{self._state / 'penstock.db'}?mode=ro", uri=True)
        sql = "SELECT created_at, completed_at FROM deployments ORDER BY created_at DESC"
        created, completed = (dt.datetime.fromisoformat(each) for each in database.execute(sql).fetchone())
        database.close()
        return (completed - created).total_seconds()

    @property
    def _state(self) -> Path:
        return self._place / f"state-{self._rollouts}"

    def commands(self, hosts: Sequence[SshHost], *, half: bool, first: bool) -> list[Command]:
        """*first*: with a new state folder; else with the one of the call before."""
        self._rollouts += first
        config = self._place / f"{len(hosts)}-hosts.toml"
        config.write_text("".join(HOST.format(host=host, fleet=self._fleet) for host in hosts))
        (self.work.content / "file-0").write_bytes(os.urandom(SIZE))
        git(self.work.source, "add", "--all")
        git(self.work.source, "commit", "--quiet", "--message", "a change")
        options = ["--config", str(config), "--state", str(self._state)]
        chosen = ["-C", str(self.work.source), "--group", "half" if half else "all"]
        return [Command([sys.executable, "-m", "runner", *options, "deploy", *chosen])]
