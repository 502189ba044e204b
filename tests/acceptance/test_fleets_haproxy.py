"""One fleet replaces another behind a real HAProxy, by the real program and a manifest, under load."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.test_load_balancer import HOSTS, MANIFEST, Shop
from acceptance_cases import Forge, wait_until
from load import Load

A, B = HOSTS[:2], HOSTS[2:]
REPLACED = MANIFEST.replace("{tags: {app: shop}}", "{tags: {fleet: a}}").replace(
    "    rollout: CodeDeployDefault.OneAtATime\n",
    "    rollout: CodeDeployDefault.AllAtOnce\n    rollback: {on: [failure, stop]}\n"
    "    blue_green:\n      green: {tags: {fleet: b}}\n",
)


class Fleets(Shop):
    """Hosts 1 and 2 are fleet `a`, 3 and 4 fleet `b`; the first version goes to `a`, in place."""

    def __init__(self, folder: Path, forge: Forge) -> None:
        super().__init__(folder, forge)
        file = folder / "penstock.toml"
        text = file.read_text()
        for name in HOSTS:
            before = f'[hosts.{name}]\nfolder = "hosts/{name}"\ntags = {{app = "shop"}}'
            assert before in text
            text = text.replace(before, before.replace('app = "shop"', f'fleet = "{"a" if name in A else "b"}"'))
        file.write_text(text)
        self.manifest(MANIFEST.replace("{tags: {app: shop}}", "{tags: {fleet: a}}"))

    def manifest(self, text: str) -> None:
        (self.repository / "penstock.yaml").write_text(text)

    def in_traffic(self) -> set[str]:
        return {name for name in HOSTS if self.haproxy.status(name) == "UP"}

    def told(self, *verb: str) -> object:
        assert self.penstock("--output", "json", *verb) == 0, self.said()
        return json.loads(self.said())


@pytest.fixture
def fleets(tmp_path: Path, forge: Forge) -> Iterator[Fleets]:
    made = Fleets(tmp_path, forge)
    made.commit("one")
    assert made.penstock("deploy") == 0, made.said()
    assert made.in_traffic() == set(A)
    made.manifest(REPLACED)
    yield made
    made.close()


def test_the_fleets_take_turns_and_no_request_is_lost(fleets: Fleets) -> None:
    with Load(fleets.haproxy.port, connections=8) as load:
        for version, serving in (("two", B), ("three", A)):
            fleets.commit(version)
            load.wait_for(load.answered + 200)
            assert fleets.penstock("deploy") == 0, fleets.said()
            assert fleets.in_traffic() == set(serving)
            load.wait_for(load.answered + 100)
            assert set(load.recent(50)) == {version}
    assert load.errors == []
    assert fleets.penstock("show", newest(fleets, "Succeeded")) == 0, fleets.said()
    assert "Hosts of the replacement (green)" in fleets.said() and "Hosts of the original (blue)" in fleets.said()
    for name in B:
        both = ["ValidateService", "BeforeAllowTraffic", "AfterAllowTraffic", "BeforeBlockTraffic", "AfterBlockTraffic"]
        assert fleets.records(name) == both


def test_nobody_meets_new_hosts_before_somebody_says_so(fleets: Fleets) -> None:
    fleets.manifest(REPLACED + "      ready: {wait: 1h}\n")
    fleets.commit("two")
    with Load(fleets.haproxy.port, connections=8) as load:
        pid = fleets.begin("deploy")
        wait_until(lambda: all((fleets.hosts / name / "app.pid").exists() for name in B), "both", log=fleets.log)
        wait_until(lambda: all(fleets.haproxy.status(name) == "MAINT" for name in B), "maintenance", log=fleets.log)
        wait_until(lambda: "Ready" in statuses(fleets), "the wait", log=fleets.log)
        load.wait_for(load.answered + 200)
        assert set(load.bodies) == {"one"}
        os.kill(pid, signal.SIGKILL)  # the wait is nobody's: it stands in the database
        assert fleets.forge.wait(pid) == -signal.SIGKILL
        made = newest(fleets, "Ready")
        assert fleets.penstock("show", made) == 0, fleets.said()
        assert "waits for somebody to continue, then traffic moves, until" in fleets.said()
        assert fleets.penstock("continue", made) == 0, fleets.said()
        load.wait_for(load.answered + 100)
        assert set(load.recent(50)) == {"two"}
    assert load.errors == []
    assert fleets.in_traffic() == set(B)


def test_hosts_that_do_not_work_never_get_traffic(fleets: Fleets) -> None:
    (fleets.hosts / "invalid").touch()
    fleets.commit("two")
    with Load(fleets.haproxy.port, connections=4) as load:
        assert fleets.penstock("deploy") != 0
        load.wait_for(load.answered + 100)
    assert set(load.bodies) == {"one"} and load.errors == []
    assert fleets.in_traffic() == set(A)


def test_a_rollback_runs_the_scripts_of_the_revision_that_each_host_has(fleets: Fleets) -> None:
    (fleets.hosts / "broken").touch()  # BeforeBlockTraffic fails on the hosts of version one
    fleets.commit("two")
    assert fleets.penstock("deploy") != 0
    (fleets.hosts / "broken").unlink()
    if fleets.in_traffic() != set(A):  # the rollback began with the deployment's end, and fails by the same script
        assert fleets.penstock("rollback", newest(fleets, "Failed")) == 0, fleets.said()
    assert fleets.in_traffic() == set(A)
    for name in A:
        assert fleets.records(name)[-2:] == ["BeforeAllowTraffic", "AfterAllowTraffic"]


def statuses(fleets: Fleets) -> list[str]:
    return [str(each["status"]) for each in fleets.told("list")]  # type: ignore[attr-defined]


def newest(fleets: Fleets, status: str) -> str:
    return next(str(each["id"]) for each in fleets.told("list") if each["status"] == status)  # type: ignore[attr-defined]


def test_the_plan_says_who_replaces_whom(fleets: Fleets) -> None:
    fleets.manifest(REPLACED + "      ready: {wait: 1h}\n")
    fleets.commit("two")
    assert fleets.penstock("plan") == 0, fleets.said()
    said = " ".join(fleets.said().split())
    assert "replaces web-1, web-2" in said
    assert "deploy to 2 hosts: web-3, web-4" in said
    assert "waits 1h for `penstock continue`, and stops without it" in said
    assert "original kept" in said
