"""Penstock in its container, deploying for real: read-only, as a user, by cron and as a service."""

import json
import os

import pytest
from container.site import USER, Site

from runner.cli import exits

pytestmark = pytest.mark.timeout(900)  # the first test builds the image

ALL = ["BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]


def begun(site: Site, host: str = "staging-1") -> list[str]:
    return [line.split()[0] for line in site.records(host) if " begins " in line]


def test_a_sync_deploys_what_is_new_and_the_next_one_finds_nothing_to_do(site: Site) -> None:
    site.commit("one")
    said = site.run("--output", "json", "sync")
    assert said.returncode == 0, said.stdout + said.stderr
    assert [each["status"] for each in json.loads(said.stdout)["deployments"]] == ["Succeeded", "Succeeded"]
    assert site.deployed() == "one"
    assert (site.hosts / "production-1/srv/shop/version").stat().st_uid == USER
    again = site.run("--output", "json", "sync")
    assert (again.returncode, json.loads(again.stdout)["deployments"]) == (0, [])
    assert begun(site) == ALL
    assert sorted(each.name for each in site.state.iterdir() if each.stat().st_uid != USER) == []


def test_a_service_is_healthy_deploys_what_comes_and_ends_on_sigterm(site: Site) -> None:
    container = site.start("serve", "--listen", "127.0.0.1:8300")
    site.until(lambda: "listening on" in site.podman.logs(container), "the listener", container)
    assert site.podman("healthcheck", "run", container, check=False).returncode == 0
    told = site.podman("exec", container, "penstock", "--output", "json", "health")
    assert json.loads(told.stdout)["url"] == "http://127.0.0.1:8300"
    site.commit("two")
    site.until(lambda: site.deployed() == "two", "the deployment", container)
    site.podman("stop", "--time", "60", container)
    state = site.podman.inspect(container)["State"]
    assert state["ExitCode"] == 0, site.podman.logs(container)
    assert site.run("health").returncode == exits.WORLDS_FAILURE


def test_of_overlapping_runs_the_second_leaves_or_waits_as_it_was_told(site: Site) -> None:
    site.hold()
    site.commit("three")
    first = site.start("sync", name="first")
    site.until(lambda: begun(site), "the first script", first)
    left = site.run("sync", "--busy", "leave")
    assert left.returncode == exits.BUSY
    assert "process 1 on first already drives the state folder /var/lib/penstock; leaving it" in left.stderr
    tired = site.run("sync", "--busy", "wait", "--wait", "1s")
    assert tired.returncode == exits.BUSY
    assert "for longer than 1s" in tired.stderr
    second = site.start("sync", "--busy", "wait", "--wait", "5m")
    site.until(lambda: "waiting up to 5m" in site.podman.logs(second), "the wait", second)
    site.release()
    assert (site.wait(first), site.wait(second)) == (0, 0)
    assert site.deployed() == "three"
    assert begun(site) == ALL


def test_after_the_first_is_killed_the_second_takes_over_what_it_had_begun(site: Site) -> None:
    site.hold()
    site.commit("four")
    first = site.start("sync", name="first")
    site.until(lambda: begun(site), "the first script", first)
    second = site.start("sync", "--busy", "wait", "--wait", "5m")
    site.until(lambda: "waiting up to 5m" in site.podman.logs(second), "the wait", second)
    site.podman("kill", "--signal", "KILL", first)
    site.release()
    assert site.wait(second) == 0, site.podman.logs(second)
    assert site.deployed() == "four"
    assert begun(site, "production-1") == ALL


def test_a_run_that_waits_ends_on_sigterm_although_it_is_process_1(site: Site) -> None:
    site.hold()
    site.commit("five")
    first = site.start("sync")
    site.until(lambda: begun(site), "the first script", first)
    second = site.start("sync", "--busy", "wait", "--wait", "1h")
    site.until(lambda: "waiting up to 1h" in site.podman.logs(second), "the wait", second)
    site.podman("stop", "--time", "60", second)
    assert site.podman.inspect(second)["State"]["ExitCode"] == exits.INTERRUPTED
    site.release()
    assert site.wait(first) == 0


def test_a_state_folder_of_somebody_else_is_told_with_whose_it_is(site: Site) -> None:
    os.chown(site.state, 0, 0)
    site.state.chmod(0o755)
    said = site.run("sync")
    assert said.returncode == exits.WORLDS_FAILURE
    assert "the state folder /var/lib/penstock cannot be written" in said.stderr
    assert "it belongs to user 0, and this process is user 10001" in said.stderr
    assert "Traceback" not in said.stderr


def test_files_of_somebody_else_in_the_state_folder_are_told(site: Site) -> None:
    site.commit("six")
    assert site.run("sync").returncode == 0
    for name in ("penstock.db", "driver.lock"):
        os.chown(site.state / name, 0, 0)
        (site.state / name).chmod(0o600)
        said = site.run("sync")
        assert said.returncode == exits.WORLDS_FAILURE, said.stderr
        assert "cannot be written" in said.stderr
        assert f"{name} belongs to user 0, and this process is user 10001" in said.stderr
        os.chown(site.state / name, USER, USER)
    assert site.run("sync").returncode == 0


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_a_read_only_state_folder_is_told(site: Site, used: bool) -> None:
    site.commit("seven")
    if used:
        assert site.run("sync").returncode == 0
    said = site.run("sync", state="ro")
    assert said.returncode == exits.WORLDS_FAILURE
    assert "the state folder /var/lib/penstock cannot be written" in said.stderr


def test_a_damaged_database_is_told_and_not_touched(site: Site) -> None:
    site.commit("eight")
    assert site.run("sync").returncode == 0
    damaged = b"not a database, " * 4096
    (site.state / "penstock.db").write_bytes(damaged)
    for name in ("penstock.db-wal", "penstock.db-shm"):
        (site.state / name).unlink(missing_ok=True)
    said = site.run("sync")
    assert said.returncode == exits.WORLDS_FAILURE
    assert "/var/lib/penstock/penstock.db is damaged" in said.stderr
    assert (site.state / "penstock.db").read_bytes() == damaged
