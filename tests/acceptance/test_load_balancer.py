"""A rolling deployment behind a real HAProxy, by the real program, under load: no request is lost."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_cases import Forge, is_dead, wait_until
from haproxy import Haproxy, free_port
from load import Load
from local_git import commit, git, new_repository
from web_application import APPLICATION, START, STOP

HOSTS = ("web-1", "web-2", "web-3", "web-4")

RECORD = """#!/bin/sh
echo "$LIFECYCLE_EVENT" >> "$PENSTOCK_ROOT/record"
while [ "$LIFECYCLE_EVENT" = AfterBlockTraffic ] && [ -e "$PENSTOCK_ROOT/../paced" ] && [ ! -e "$PENSTOCK_ROOT/go" ]
do sleep 0.02; done
if [ "$LIFECYCLE_EVENT" = BeforeBlockTraffic ] && [ -e "$PENSTOCK_ROOT/../broken" ]; then exit 3; fi
if [ "$LIFECYCLE_EVENT" = ValidateService ] && [ -e "$PENSTOCK_ROOT/../invalid" ]; then exit 4; fi
"""

RECORDED = (
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "ValidateService",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)

APPSPEC = (
    "version: 0.0\nos: linux\nfile_exists_behavior: OVERWRITE\nfiles:\n  - {source: srv, destination: /srv}\nhooks:\n"
    "  ApplicationStop: [{location: stop.sh, timeout: 20}]\n  ApplicationStart: [{location: start.sh, timeout: 20}]\n"
    + "".join(f"  {event}: [{{location: record.sh, timeout: 20}}]\n" for event in RECORDED)
)

MANIFEST = """penstock: v1
application: shop
platform: Server
deployment_groups:
  production:
    targets: {tags: {app: shop}}
    load_balancer: {haproxy: [edge/app]}
    rollout: CodeDeployDefault.OneAtATime
"""


class Shop:
    """A repository, four hosts with an application each, and a HAProxy in front of them."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        self.folder, self.forge = folder, forge
        self.repository, self.hosts, self.log = folder / "shop", folder / "hosts", folder / "log"
        self.ports = {name: free_port() for name in HOSTS}
        self._write_repository()
        for name in HOSTS:
            (self.hosts / name).mkdir(parents=True)
        self.haproxy = Haproxy(folder / "haproxy", self.ports)
        (folder / "penstock.toml").write_text(
            f'[load_balancers.edge]\ntype = "haproxy"\naddress = "{self.haproxy.address}"\n'
            + "".join(
                f'[hosts.{name}]\nfolder = "hosts/{name}"\ntags = {{app = "shop"}}\n'
                f'environment = {{PORT = "{port}", PYTHON = "{sys.executable}"}}\n'
                for name, port in self.ports.items()
            )
        )

    def _write_repository(self) -> None:
        new_repository(self.repository)
        (self.repository / "srv").mkdir()
        (self.repository / "srv" / "app.py").write_text(APPLICATION)
        for name, text in (("stop.sh", STOP), ("start.sh", START), ("record.sh", RECORD)):
            (self.repository / name).write_text(text)
            (self.repository / name).chmod(0o755)
        (self.repository / "appspec.yml").write_text(APPSPEC)
        (self.repository / "penstock.yaml").write_text(MANIFEST)

    def commit(self, version: str) -> None:
        (self.repository / "srv" / "version").write_text(version)
        git(self.repository, "add", "--all")
        commit(self.repository, version)

    def begin(self, *verb: str, kill_after: int | None = None) -> int:
        shared = ["--config", str(self.folder / "penstock.toml"), "--state", str(self.folder / "state")]
        self.log.unlink(missing_ok=True)
        return self.forge.start([*shared, *verb], self.repository, self.log, kill_after)

    def penstock(self, *verb: str, within: float = 60) -> int:
        pid = self.begin(*verb)
        wait_until(lambda: is_dead(pid), " ".join(verb), within, self.log)
        return self.forge.wait(pid)

    def said(self) -> str:
        return self.log.read_text()

    def records(self, host: str) -> list[str]:
        return (self.hosts / host / "record").read_text().split()

    def close(self) -> None:
        self.haproxy.stop()
        for name in HOSTS:
            pid = self.hosts / name / "app.pid"
            if pid.exists():
                os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.fixture
def shop(tmp_path: Path, forge: Forge) -> Iterator[Shop]:
    made = Shop(tmp_path, forge)
    made.commit("one")
    yield made
    made.close()


def deployed(shop: Shop) -> None:
    assert shop.penstock("deploy") == 0, shop.said()
    assert {shop.haproxy.status(name) for name in HOSTS} == {"UP"}


def test_a_rolling_deployment_loses_no_request(shop: Shop) -> None:
    deployed(shop)
    shop.commit("two")
    with Load(shop.haproxy.port, connections=8) as load:
        load.wait_for(500)
        (shop.hosts / "paced").touch()
        before = load.answered
        pid = shop.begin("deploy")
        for number, name in enumerate(HOSTS, start=1):  # each is out of traffic for a quarter of 5,000 requests
            load.wait_for(before + 1_250 * number)
            (shop.hosts / name / "go").touch()
        wait_until(lambda: is_dead(pid), "the deployment", log=shop.log)
        assert shop.forge.wait(pid) == 0, shop.said()
        load.wait_for(load.answered + 100)
        last = load.recent(50)
    assert load.errors == []
    assert set(load.bodies) == {"one", "two"}
    assert set(last) == {"two"}
    for name in HOSTS:
        assert shop.records(name) == [
            *("ValidateService", "BeforeAllowTraffic", "AfterAllowTraffic"),  # the first time, nothing was there before
            *RECORDED,
        ]


def test_without_a_load_balancer_the_same_deployment_loses_requests(shop: Shop) -> None:
    """The load does see errors, and traffic events do not exist."""
    manifest = shop.repository / "penstock.yaml"
    manifest.write_text(MANIFEST.replace("    load_balancer: {haproxy: [edge/app]}\n", ""))
    shop.commit("one")
    assert shop.penstock("deploy") == 0, shop.said()
    wait_until(lambda: all(shop.haproxy.status(name) == "UP" for name in HOSTS), "four hosts that are up")
    shop.commit("two")
    with Load(shop.haproxy.port, connections=8) as load:
        load.wait_for(500)
        assert shop.penstock("deploy") == 0, shop.said()
    assert load.errors
    assert {event for name in HOSTS for event in shop.records(name)} == {"ValidateService"}


def test_a_failed_host_stays_out_of_traffic_and_the_next_deployment_brings_it_back(shop: Shop) -> None:
    deployed(shop)
    (shop.hosts / "invalid").touch()
    shop.commit("two")
    assert shop.penstock("deploy") != 0
    out = [name for name in HOSTS if shop.haproxy.status(name) == "MAINT"]
    assert len(out) == 1  # OneAtATime: the first failure ends it
    (shop.hosts / "invalid").unlink()
    deployed(shop)


def test_a_broken_script_of_the_old_revision_can_be_ignored(shop: Shop) -> None:
    deployed(shop)
    shop.commit("two")
    (shop.hosts / "broken").touch()
    assert shop.penstock("deploy") != 0
    assert shop.penstock("deploy", "--ignore-application-stop-failures") == 0, shop.said()
    assert {shop.haproxy.status(name) for name in HOSTS} == {"UP"}


def test_killed_while_a_host_is_drained_the_next_process_carries_on(shop: Shop) -> None:
    deployed(shop)
    shop.commit("two")
    with Load(shop.haproxy.port, connections=len(HOSTS), path="/slow") as load:
        wait_until(lambda: all(shop.haproxy.row(name)["scur"] == "1" for name in HOSTS), "a session on each host")
        pid = shop.begin("deploy")
        wait_until(lambda: any(shop.haproxy.status(name) == "DRAIN" for name in HOSTS), "a drain", log=shop.log)
        os.kill(pid, signal.SIGKILL)
        assert shop.forge.wait(pid) == -signal.SIGKILL
        sync = shop.begin("sync")
        for name in HOSTS:
            (shop.hosts / name / "app.pid.release").touch()
        wait_until(lambda: is_dead(sync), "the end", log=shop.log)
        assert shop.forge.wait(sync) == 0, shop.said()
    assert {shop.haproxy.status(name) for name in HOSTS} == {"UP"}
    assert shop.penstock("--output", "json", "list") == 0
    assert {each["status"] for each in json.loads(shop.said())} == {"Succeeded"}
    assert load.errors == []


def test_plan_show_and_logs_tell_of_the_load_balancer(shop: Shop) -> None:
    assert shop.penstock("plan") == 0
    assert re.search(r"traffic +haproxy edge/app", shop.said())
    deployed(shop)
    assert shop.penstock("--output", "json", "list") == 0
    deployment_id = json.loads(shop.said())[0]["id"]
    assert shop.penstock("show", deployment_id) == 0
    assert re.search(r"traffic +haproxy edge/app", shop.said())
    assert "BeforeBlockTraffic" in shop.said()
    assert shop.penstock("logs", deployment_id, "--target", "web-1") == 0
    assert "haproxy edge: web-1 in backend app: out of traffic" in shop.said()
    assert "haproxy edge: web-1 in backend app: in traffic" in shop.said()


def test_a_host_that_haproxy_does_not_know_is_found_before_any_host_is_touched(shop: Shop) -> None:
    with (shop.folder / "penstock.toml").open("a") as config:
        config.write('[hosts.web-9]\nfolder = "hosts/web-9"\ntags = {app = "shop"}\n')
    assert shop.penstock("deploy") != 0
    assert shop.penstock("--output", "json", "list") == 0
    (deployment,) = json.loads(shop.said())
    assert deployment["error"]["code"] == "ELASTIC_LOAD_BALANCING_INVALID"
    assert "no server web-9" in deployment["error"]["message"]
    assert not any((shop.hosts / name / "record").exists() for name in HOSTS)
