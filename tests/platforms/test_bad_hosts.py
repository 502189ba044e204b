"""The bad input of hosts, as outcomes of targets in whole rollouts: one host is bad, and the others go on.

Here the real store and driver (or the whole program), and real sshd; what each matter does by itself is tested beside it:

host down, key changed, refused, no Python   `test_..._the_bad_ones_fail...` here; test_ssh_trouble
disk full on the host                        `test_a_host_whose_disk_is_full...` here; test_content_delivery, test_ssh_trouble
clock wrong by a year, or set meanwhile      `test_a_host_whose_clock...` here
answers after the deployment has gone on     `test_a_host_that_answers_late...` here; test_server_crashes
a script prints 1 GB                         `test_each_script...` here (as much as is cut off); test_server_scripts (1 GB)
prints binary, ignores TERM, daemonises,     `test_each_script...` here; test_server_scripts
  closes its output, kills its parent
100,000 files                                `test_a_hundred_thousand_files...` in test_content_delivery
names in any encoding                        `test_each_script...` here; test_host_check, test_content_trees
"""

import asyncio
import contextlib
import datetime as dt
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli_cases import Penstock
from host_cases import EVENTS, appspec, tgz
from local_git import git, new_repository
from processes import is_running
from sshd import PYTHON, Sshd, new_key, sshd
from store_cases import ALL_AT_ONCE, ONE_AT_A_TIME, group, manifest, revision
from waiting import until

from runner.execute.driver import Driver
from runner.model.appspec import AppSpec, Script
from runner.model.deployment import Deployment, DeploymentStatus, Options
from runner.model.executor import ExecutorSettings
from runner.model.revision import Bundle
from runner.model.rollout import Rollout
from runner.model.target import Diagnostics, EventStatus, Host, LifecycleEvent, TargetStatus
from runner.model.work import Prepared, Wish
from runner.plan.lifecycle import Pipeline
from runner.platforms.server.platform import ServerPlatform
from runner.store.logs import LogFiles
from runner.store.store import Store

SOON = dt.timedelta(seconds=1)
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@pytest.fixture
def penstock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Penstock:
    """The command line on a checkout of its own, with less patience than it has by itself."""
    here = tmp_path / "shop"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("PENSTOCK_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(
        "runner.platforms.server.platform.ServerPlatform", functools.partial(ServerPlatform, retry_for=SOON)
    )
    return Penstock(here, tmp_path / "state", capsys)


def table(host: Host) -> str:
    """*host* as the configuration has it."""
    assert host.ssh
    python = f'python = "{host.ssh.python}"\n' if host.ssh.python else ""
    return (
        f'[hosts.{host.name}]\ntransport = "ssh"\nfolder = "{host.folder}"\ntags = {{stage = "production"}}\n'
        f'address = "127.0.0.1"\nport = {host.ssh.port}\nuser = "{host.ssh.user}"\nlinger = "0s"\n{python}'
        f'identity_file = "{host.ssh.identity_files[0]}"\nknown_hosts = "{host.ssh.known_hosts}"\n'
    )


def checkout(penstock: Penstock, hosts: Sequence[Host], rollout: str) -> None:
    """An application whose one hook leaves a word on its host, and *hosts* in one group."""
    new_repository(penstock.here)
    (penstock.here / "hook.sh").write_text('#!/bin/sh\necho "$BUNDLE_COMMIT" >> "$PENSTOCK_ROOT/ran"\n')
    (penstock.here / "hook.sh").chmod(0o755)
    (penstock.here / "appspec.yml").write_text(
        "version: 0.0\nos: linux\nhooks:\n  ValidateService: [{location: hook.sh, timeout: 20}]\n"
    )
    (penstock.here / "penstock.yaml").write_text(
        "penstock: v1\napplication: shop\nplatform: Server\ndeployment_groups:\n  production:\n"
        f"    targets: {{tags: {{stage: production}}}}\n    rollout: CodeDeployDefault.{rollout}\n"
    )
    (penstock.here / "penstock.toml").write_text("".join(map(table, hosts)))
    git(penstock.here, "add", "--all")
    git(penstock.here, "commit", "--quiet", "--message", "first")


@contextlib.contextmanager
def bad_hosts(folder: Path) -> Iterator[dict[str, Host]]:
    """One host of each kind of trouble, each with a server of its own, as far as it still has one."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(sshd(folder / name, options))
            for name, options in {
                "changed": (),
                "pythonless": ('ForceCommand PATH=/nowhere; eval "$SSH_ORIGINAL_COMMAND"',),
                "refusing": (),
                "well-1": (),
                "well-2": (),
            }.items()
        }
        with sshd(folder / "down") as server:
            servers["down"] = server
        new_key(servers["changed"].host_key)
        (servers["refusing"].folder / "authorized_keys").write_text("")
        without = {"python": None}
        yield {
            name: server.host(name, **(without if name == "pythonless" else {})) for name, server in servers.items()
        }


SAID = {
    "changed": "THE KEY OF [127.0.0.1]:",
    "down": " cannot be reached: Connection refused",
    "pythonless": "there is no Python on the host: looked for python3 in PATH, 3.8 or later.",
    "refusing": " was refused",
}


def test_of_hosts_of_every_kind_of_trouble_the_bad_ones_fail_and_the_others_are_deployed_to(
    penstock: Penstock, tmp_path: Path
) -> None:
    with bad_hosts(tmp_path / "hosts") as hosts:
        checkout(penstock, list(hosts.values()), "AllAtOnce")
        said = penstock("deploy")
        assert said.status == 0, said.err  # two are healthy, and the group asks for none
        (made,) = penstock("--output", "json", "list").json
        described = penstock("--output", "json", "show", made["id"]).json
        shown = penstock("show", made["id"]).out
    statuses = {each["id"]: each["status"] for each in described["targets"]}
    assert statuses == dict.fromkeys(SAID, "Failed") | {"well-1": "Succeeded", "well-2": "Succeeded"}
    for target in described["targets"]:
        if target["id"] in SAID:
            (failed,) = [each for each in target["lifecycle_events"] if each["status"] == "Failed"]
            assert failed["diagnostics"]["error_code"] == "UnknownError"
            assert SAID[target["id"]] in failed["diagnostics"]["message"]
            assert f"{target['id']} failed in ApplicationStop" in shown
            assert SAID[target["id"]] in shown
            assert not (Path(hosts[target["id"]].folder) / "ran").exists()
    assert [len((Path(hosts[name].folder) / "ran").read_text().split()) for name in ("well-1", "well-2")] == [1, 1]
    print(said.out, said.err, shown)
