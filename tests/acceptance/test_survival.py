"""What the real program survives beside kills: signals, full and read-only disks, a second server, bad commits."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from acceptance_cases import MANIFEST, Forge, Site, is_dead, wait_until
from local_git import git


def penstock(site: Site, *verb: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "runner", *site.argv(*verb)],
        cwd=site.repository,
        capture_output=True,
        text=True,
        timeout=60,
        check=check,
    )


def serve(forge: Forge, site: Site, *more: str) -> int:
    return forge.start(site.argv("serve", *more), site.folder, site.log)


def end(forge: Forge, pid: int) -> int:
    os.kill(pid, signal.SIGTERM)
    return forge.wait(pid)


def hold(site: Site) -> None:
    """Scripts on staging-1 begin, and do not end before `release`."""
    (site.hosts / "staging-1/held").touch()


def release(site: Site) -> None:
    (site.hosts / "staging-1/held").unlink()


def begun(site: Site, host: str) -> list[str]:
    return [line.split()[0] for line in site.records()[host] if " begins " in line]


def test_sigterm_lets_the_event_in_flight_end_and_the_next_process_goes_on(forge: Forge, site: Site) -> None:
    hold(site)
    site.commit()
    pid = serve(forge, site)
    wait_until(lambda: begun(site, "staging-1"), "the first script", log=site.log)
    os.kill(pid, signal.SIGTERM)
    release(site)
    assert forge.wait(pid) == 0
    assert site.records()["staging-1"][-1].startswith("BeforeInstall ends")
    assert ("InProgress",) not in site.query("SELECT event_status FROM targets")
    pid = serve(forge, site)
    wait_until(lambda: site.settled(2), "the rest", log=site.log)
    assert begun(site, "staging-1") == ["BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]
    assert end(forge, pid) == 0


def test_a_second_server_on_the_same_state_folder_is_refused_and_named(forge: Forge, site: Site) -> None:
    pid = serve(forge, site)
    wait_until(lambda: (site.state / "driver.lock").exists() and (site.state / "driver.lock").read_text(), "the lock")
    refused = penstock(site, "serve", check=False)
    assert refused.returncode == 3
    assert f"process {pid} already drives the state folder {site.state}" in refused.stderr
    assert end(forge, pid) == 0


def test_a_stop_from_another_process_is_carried_out(forge: Forge, site: Site) -> None:
    hold(site)
    site.commit()
    pid = serve(forge, site)
    wait_until(lambda: begun(site, "staging-1"), "the first script", log=site.log)
    (staging,) = site.query("SELECT id FROM deployments WHERE group_name = 'staging'")[0]
    penstock(site, "stop", staging)
    release(site)
    wait_until(lambda: site.settled(2), "the stop", log=site.log)
    assert {row[0] for row in site.query("SELECT status FROM deployments")} == {"Stopped"}
    assert begun(site, "staging-1") == ["BeforeInstall"]
    assert end(forge, pid) == 0


def test_a_script_that_hangs_is_shown_with_its_last_words(forge: Forge, site: Site) -> None:
    hold(site)
    site.commit()
    pid = serve(forge, site)
    wait_until(lambda: begun(site, "staging-1"), "the first script", log=site.log)
    (staging,) = site.query("SELECT id FROM deployments WHERE group_name = 'staging'")[0]

    def shown() -> str:
        return penstock(site, "show", staging).stdout

    wait_until(lambda: "  | [stdout]at work on BeforeInstall" in shown(), "its last words", log=site.log)
    assert "staging-1 is in BeforeInstall for " in shown()
    release(site)
    assert end(forge, pid) == 0


def test_a_force_push_is_deployed_and_what_was_recorded_stays(forge: Forge, site: Site) -> None:
    site.commit("first")
    second = site.commit("second")
    pid = serve(forge, site)
    wait_until(lambda: site.settled(2), "the first rollout", log=site.log)
    (site.repository / "content/version").write_text("instead of the second")
    git(site.repository, "commit", "--quiet", "--all", "--amend", "--message", "instead of the second")
    third = git(site.repository, "rev-parse", "HEAD")
    wait_until(lambda: site.settled(4), "the second rollout", log=site.log)
    assert [row[0] for row in site.query("SELECT commit_id FROM changes ORDER BY id")] == [second, third]
    assert (site.hosts / "production-2/srv/shop/version").read_text() == "instead of the second"
    assert end(forge, pid) == 0


def test_a_repository_that_is_gone_is_said_and_holds_nobody_up(forge: Forge, site: Site) -> None:
    gone = site.folder / "gone"
    with site.config.open("a") as config:
        config.write(f'[repositories.gone]\nurl = "file://{gone}"\ninterval = "1s"\n')
    site.commit()
    pid = serve(forge, site)
    wait_until(lambda: site.settled(2), "the rollout of the other", log=site.log)
    wait_until(lambda: site.query("SELECT 1 FROM repositories WHERE failures > 0"), "the failure to be recorded")
    state = json.loads(penstock(site, "--output", "json", "status").stdout)
    assert "gone" in next(each for each in state["repositories"] if each["name"] == "gone")["last_error"]
    assert end(forge, pid) == 0


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda site: (site.repository / "penstock.yaml").unlink(), "holds no penstock.yaml"),
        (lambda site: (site.repository / "penstock.yaml").write_text(""), "penstock.yaml"),
        (lambda site: (site.repository / "appspec.yml").unlink(), "holds no appspec.yml"),
        (lambda site: (site.repository / "appspec.yml").write_text("version: 9\nos: linux\n"), "appspec.yml:1 version"),
        (lambda site: (site.repository / "penstock.yaml").write_text(MANIFEST.replace("staging}}", "nowhere}}")), "nowhere"),
    ],
    ids=["no manifest", "an empty manifest", "no AppSpec", "a wrong AppSpec", "no host with such tags"],
)  # fmt: skip
def test_a_bad_commit_is_refused_with_its_reason_and_the_next_one_is_deployed(
    forge: Forge, site: Site, break_it: Callable[[Site], object], said: str
) -> None:
    good = {name: (site.repository / name).read_text() for name in ("penstock.yaml", "appspec.yml")}
    break_it(site)
    site.commit("bad")
    pid = serve(forge, site)
    wait_until(lambda: site.query("SELECT 1 FROM changes WHERE status = 'Refused'"), "the refusal", log=site.log)
    ((message,),) = site.query("SELECT message FROM changes")
    assert said in message
    assert site.query("SELECT 1 FROM deployments") == []
    assert said in penstock(site, "status").stdout
    for name, text in good.items():
        (site.repository / name).write_text(text)
    site.commit("good")
    wait_until(lambda: site.settled(2), "the rollout of the next commit", log=site.log)
    assert end(forge, pid) == 0


class SmallDisk:
    """A file system of its own, in a mount namespace that ends with the test."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = f"mount -t tmpfs -o {options} tmpfs '{folder}' && echo mounted && exec sleep 120"
        self._holder = subprocess.Popen(
            ["unshare", *user, "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout and self._holder.stdout.readline() == "mounted\n"

    def inside(self, *command: str) -> list[str]:
        enter = ["nsenter", "--target", str(self._holder.pid), "--mount"]
        return [*enter, *([] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]), "--", *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=60, check=False)

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


def test_a_full_disk_is_named_and_nothing_recorded_is_lost(site: Site) -> None:
    """The disk fills up while a rollout is under way; when there is room again, it goes on to its end."""
    disk = SmallDisk(site.state, "size=3m")
    hold(site)
    site.commit()
    python = [sys.executable, "-m", "runner", *site.argv("serve")]
    with site.log.open("w") as log:
        server = subprocess.Popen(disk.inside(*python), cwd=site.folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: begun(site, "staging-1"), "the first script", log=site.log)
        disk.run("sh", "-c", f"cat /dev/zero > {site.state}/filler")
        release(site)
        wait_until(lambda: "is full" in site.log.read_text(), "the message", log=site.log)
        assert server.poll() is None
        disk.run("rm", f"{site.state}/filler")
        wait_until(lambda: (site.hosts / "production-2/srv/shop/version").exists(), "the end", log=site.log)
        wait_until(lambda: len(begun(site, "production-2")) == 4, "the last script", log=site.log)
        time.sleep(0.2)
        listed = disk.run(
            *[sys.executable, "-m", "runner", *site.argv("--output", "json", "list")[:4]], "--output", "json", "list"
        )
        deployments = json.loads(listed.stdout)
        assert [each["status"] for each in deployments] == ["Succeeded", "Succeeded"]
        assert begun(site, "staging-1") == ["BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]
    finally:
        server.terminate()
        server.wait(30)
        disk.close()


def test_a_read_only_state_folder_is_refused_at_once(site: Site) -> None:
    disk = SmallDisk(site.state, "size=3m,ro")
    try:
        refused = disk.run(sys.executable, "-m", "runner", *site.argv("serve"))
    finally:
        disk.close()
    assert refused.returncode == 3
    assert f"the state folder {site.state} cannot be written" in refused.stderr
    assert "--state" in refused.stderr


def test_sync_deploys_once_and_ends_with_the_outcome(site: Site) -> None:
    site.commit("good")
    assert penstock(site, "sync").returncode == 0
    assert site.outcome()[:2] == [("staging", "CodeDeploy", "Succeeded"), ("production", "CodeDeploy", "Succeeded")]
    assert penstock(site, "sync").returncode == 0
    assert len(site.query("SELECT 1 FROM deployments")) == 2
    site.commit("bad", **{"broken-on-staging-1": ""})
    assert penstock(site, "sync", check=False).returncode == 1


def test_a_poll_of_a_real_remote_sees_a_push(forge: Forge, tmp_path: Path) -> None:
    site = Site(tmp_path, watch="poll")
    text = site.config.read_text()
    site.config.write_text(text.replace('watch = "poll"', 'watch = "poll"\ninterval = "1s"'))
    site.commit("first")
    pid = serve(forge, site)
    wait_until(lambda: site.settled(2), "the first rollout", log=site.log)
    site.commit("second")
    wait_until(lambda: site.settled(4), "the second rollout", log=site.log)
    assert (site.hosts / "production-1/srv/shop/version").read_text() == "second"
    assert end(forge, pid) == 0


def test_no_secret_of_the_control_side_reaches_a_hook(site: Site) -> None:
    hook = site.repository / "hook.sh"
    hook.write_text(hook.read_text() + 'env > "$PENSTOCK_ROOT/environment"\n')
    site.commit()
    secret = {**os.environ, "AWS_SECRET_ACCESS_KEY": "control-side-only"}
    subprocess.run(
        [sys.executable, "-m", "runner", *site.argv("sync")],
        cwd=site.folder,
        env=secret,
        check=True,
        capture_output=True,
        timeout=60,
    )
    environment = (site.hosts / "staging-1/environment").read_text()
    assert "control-side-only" not in environment
    assert "DEPLOYMENT_GROUP_NAME=staging" in environment


def test_a_server_whose_database_was_taken_away_says_so(forge: Forge, site: Site) -> None:
    site.commit()
    pid = serve(forge, site)
    wait_until(lambda: site.settled(2), "the rollout", log=site.log)
    assert end(forge, pid) == 0
    shutil.copy(site.config, site.state / "penstock.db")
    refused = penstock(site, "status", check=False)
    assert refused.returncode == 3
    assert "is damaged" in refused.stderr
    assert not is_dead(os.getpid())
