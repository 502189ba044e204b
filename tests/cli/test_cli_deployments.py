"""From an empty folder to deployments that succeed, fail, are rolled back, stopped and taken up again; all for real."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_cases import Penstock
from local_git import git, new_repository

from runner.cli import exits, follow
from runner.model.work import WHOLE_FLEET
from runner.plan.lifecycle import server_in_place
from runner.store.lock import driver_lock
from runner.store.logs import LogFiles
from runner.store.store import Store


def deployed(penstock: Penstock, host: str) -> bool:
    return (penstock.here / "hosts" / host / "opt" / "shop" / "appspec.yml").is_file()


def test_from_an_empty_folder_to_a_deployment(penstock: Penstock) -> None:
    new_repository(penstock.here)
    assert penstock("init").status == 0
    assert penstock("validate").status == 0
    head = penstock.commit()

    planned = penstock("plan")
    assert planned.status == 0
    assert f"commit {head} (branch main)" in planned.out
    assert "deploy to 1 host: local" in planned.out
    assert not penstock("--output", "json", "list").json  # a plan does nothing

    said = penstock("deploy")
    assert (said.status, said.err) == (0, "")
    assert "shop/staging local succeeded" in said.out
    assert deployed(penstock, "local")
    assert penstock.state.stat().st_mode & 0o077 == 0
    assert git(penstock.here, "status", "--porcelain") == ""  # the host is no part of the repository

    assert head[:10] in penstock("status").out
    (made,) = penstock("--output", "json", "list").json
    shown = penstock("show", made["id"]).out
    assert f"{made['id']} shop/staging Succeeded" in shown
    assert "penstock rollback" not in shown  # there is nothing to go back to
    assert "start the application here" in penstock("logs", made["id"]).out


def test_show_has_an_event_a_line_or_the_last_of_each_host_where_the_screen_is_too_narrow_for_all(
    penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    penstock.checkout()
    penstock.add_production()
    penstock("deploy")
    production, staging = penstock("--output", "json", "list").json
    assert re.search("TARGET.* DownloadBundle .* ValidateService", penstock("show", staging["id"]).out)
    monkeypatch.setattr("runner.cli.screen._WIDE", 80)
    one, three = (penstock("show", each["id"]).out for each in (staging, production))
    assert re.search("local +Succeeded\n  ApplicationStop +ok .*\n  DownloadBundle +ok ", one)
    assert re.search("web-3 +Succeeded +7 of 7 +ValidateService ok", three)
    assert "DownloadBundle" not in three


def test_the_output_of_what_was_done_to_whole_fleets_is_among_the_logs(penstock: Penstock) -> None:
    penstock.checkout()
    penstock("deploy")
    (made,) = penstock("--output", "json", "list").json
    LogFiles(penstock.state / "logs").append(made["id"], WHOLE_FLEET, 0, "Auto Scaling group web-2, a copy of web\n")
    said = penstock("logs", made["id"]).out
    assert said.startswith("==> whole fleets <==\nAuto Scaling group web-2, a copy of web\n==> local <==\n")
    only = penstock("--output", "json", "logs", made["id"], "--target", WHOLE_FLEET).json["logs"]
    assert [each["target"] for each in only] == [WHOLE_FLEET]


def test_init_never_overwrites(penstock: Penstock) -> None:
    (penstock.here / "penstock.yaml").write_text("mine")
    (penstock.here / "scripts").mkdir()
    (penstock.here / "scripts" / "start.sh").write_text("mine")
    said = penstock("init")
    assert said.status == exits.USERS_MISTAKE
    assert "penstock.yaml, scripts/start.sh" in said.err
    assert sorted(each.name for each in penstock.here.iterdir()) == ["penstock.yaml", "scripts"]


def test_init_keeps_an_appspec_and_a_configuration(penstock: Penstock) -> None:
    for name in ("appspec.yml", "penstock.toml"):
        (penstock.here / name).write_text("mine")
    said = penstock("init")
    assert said.status == 0
    assert "kept appspec.yml" in said.out
    assert (penstock.here / "appspec.yml").read_text() == (penstock.here / "penstock.toml").read_text() == "mine"
    assert not (penstock.here / "scripts").exists()


def test_a_failure_is_rolled_back_shown_and_redeployed(penstock: Penstock) -> None:
    penstock.checkout()
    good = penstock.add_production()
    assert penstock("deploy").status == 0
    bad = penstock.break_it()

    said = penstock("--output", "json", "deploy")
    assert said.status == exits.DEPLOYMENT_FAILED
    assert said.json["succeeded"] is False
    staging, production, rollback = said.json["deployments"]
    assert [each["status"] for each in (staging, production, rollback)] == ["Succeeded", "Failed", "Succeeded"]
    assert rollback["revision"]["commit_id"] == good
    assert production["revision"]["commit_id"] == bad
    assert "web-2 ValidateService failed: " in said.err

    shown = penstock("show", production["id"]).out
    assert "web-2 failed in ValidateService" in shown
    assert "scripts/validate.sh" in shown
    assert "| [stderr]the database is gone" in shown
    assert f"rolled back by {rollback['id']} to {good[:10]}: Succeeded" in shown
    assert f"penstock logs {production['id']} --target web-2" in shown
    assert f"penstock redeploy {production['id']}" in shown
    described = penstock("--output", "json", "show", production["id"][:6]).json
    assert described["deployment"]["error"]["code"] == "HEALTH_CONSTRAINTS"
    assert {each["id"]: each["status"] for each in described["targets"]}["web-3"] == "Skipped"

    logs = penstock("--output", "json", "logs", production["id"], "--target", "web-2").json
    assert [each["target"] for each in logs["logs"]] == ["web-2"]
    assert "the database is gone" in logs["logs"][0]["text"]
    assert penstock("logs", production["id"], "--target", "web-9").status == exits.USERS_MISTAKE

    state = penstock("--output", "json", "status").json
    assert {group["group"]: group["current"]["commit_id"] for group in state["groups"]} == {
        "staging": bad,
        "production": good,
    }
    assert penstock("redeploy", "shop/production").status == 0
    assert penstock("redeploy").status == 0
    assert penstock("redeploy", production["id"]).status == exits.DEPLOYMENT_FAILED


def test_rollback_brings_back_what_was_there_before(penstock: Penstock) -> None:
    first = penstock.checkout()
    assert penstock("deploy").status == 0
    (only,) = penstock("--output", "json", "list").json
    assert penstock("rollback", only["id"]).status == exits.USERS_MISTAKE  # there was nothing before
    (penstock.here / "new").touch()
    penstock.commit()
    assert penstock("deploy").status == 0
    newest = penstock("--output", "json", "list").json[0]
    said = penstock("--output", "json", "rollback", newest["id"])
    assert said.status == 0
    assert said.json["deployments"][0]["revision"]["commit_id"] == first


def test_what_was_only_recorded_is_carried_out_by_sync(penstock: Penstock) -> None:
    penstock.checkout()
    said = penstock("--output", "json", "deploy", "--detach", "--description", "by night")
    assert said.status == 0
    (made,) = said.json["deployments"]
    assert (made["status"], made["options"]["description"]) == ("Created", "by night")
    nobody = f"no process drives the state folder {penstock.state}"
    assert nobody in penstock("status").out
    with driver_lock(penstock.state):
        assert nobody not in penstock("status").out
    assert not deployed(penstock, "local")
    said = penstock("--output", "json", "sync")
    assert said.status == 0
    assert [each["status"] for each in said.json["deployments"]] == ["Succeeded"]
    assert nobody not in penstock("status").out
    assert deployed(penstock, "local")


def test_a_stop_is_carried_out_here_when_nobody_else_does(penstock: Penstock) -> None:
    penstock.checkout()
    (made,) = penstock("--output", "json", "deploy", "--detach").json["deployments"]
    said = penstock("stop", made["id"])
    assert said.status == 0
    assert "stopped" in said.out
    assert penstock("--output", "json", "show", made["id"]).json["deployment"]["status"] == "Stopped"
    assert penstock("continue", made["id"]).status == exits.USERS_MISTAKE
    assert not deployed(penstock, "local")


def test_a_stop_is_left_to_the_process_that_drives(penstock: Penstock) -> None:
    penstock.checkout()
    (made,) = penstock("--output", "json", "deploy", "--detach").json["deployments"]
    with driver_lock(penstock.state):
        said = penstock("stop", made["id"])
        assert said.status == 0
        assert "already drives the state folder" in said.out
        assert penstock("serve").status == exits.WORLDS_FAILURE
    assert penstock("--output", "json", "show", made["id"]).json["deployment"]["status"] == "Created"


def test_a_deployment_is_driven_here_once_the_process_that_drove_has_left(
    penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    penstock.checkout()
    penstock("status")  # makes the state folder
    held, follows, wait = threading.Event(), threading.Event(), follow._have_ended

    def hold() -> None:
        with driver_lock(penstock.state):
            held.set()
            assert follows.wait(20)

    async def waits(watched: follow.Watched, within: float) -> bool:
        follows.set()
        return await wait(watched, within)

    monkeypatch.setattr(follow, "_have_ended", waits)
    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    said = penstock("deploy")
    holder.join()
    assert said.status == 0
    assert "following it" in said.err
    assert deployed(penstock, "local")


def test_an_interrupted_deployment_waits_and_is_continued(penstock: Penstock) -> None:
    penstock.checkout()
    manifest = penstock.here / "penstock.yaml"
    manifest.write_text(
        manifest.read_text().replace("CodeDeployDefault.AllAtOnce", "held")
        + "rollouts: {held: {steps: [{hold: 1h}, {batch: 100%}]}}\n"
    )
    penstock.commit()
    deploying = subprocess.Popen([sys.executable, "-m", "runner", "deploy"], stderr=subprocess.PIPE, text=True)
    try:
        held = _found(penstock.state, lambda store: [each.id for each in store.deployments() if each.waiting_until])
        deploying.send_signal(signal.SIGINT)
        _, said = deploying.communicate(timeout=20)
    finally:
        deploying.kill()
        deploying.wait()
    assert deploying.returncode == exits.INTERRUPTED
    assert "told to stop" in said
    shown = penstock("show", held).out
    assert "waits for the hold to end" in shown
    assert f"penstock continue {held}" in shown
    assert penstock("continue", held).status == 0
    assert deployed(penstock, "local")
    assert penstock("show", held, "--follow").status == 0


def _found(state: Path, look: Callable[[Store], list[str]]) -> str:
    """What *look* finds first in the store, as soon as it does."""
    store, pause = Store(state, server_in_place()), threading.Event()
    try:
        for _ in range(2000):
            if found := look(store):
                return found[0]
            pause.wait(0.01)
        raise AssertionError("waited 20 s in vain")
    finally:
        store.close()


def test_only_what_is_committed_is_deployed_and_the_rest_is_told(penstock: Penstock) -> None:
    penstock.checkout()
    (penstock.here / "new").touch()
    said = penstock("deploy")
    assert said.status == 0
    assert "1 file changed or new" in said.err
    assert not (penstock.here / "hosts/local/opt/shop/new").exists()


def test_one_group_alone_waits_for_no_other(penstock: Penstock) -> None:
    penstock.checkout()
    penstock.add_production()
    assert penstock("deploy", "--group", "production").status == 0
    assert deployed(penstock, "web-1")
    assert not deployed(penstock, "local")


@pytest.mark.parametrize("option", ["--group", "--application"])
def test_an_unknown_group_or_application_is_answered_with_those_there_are(option: str, penstock: Penstock) -> None:
    penstock.checkout()
    said = penstock("deploy", option, "nowhere")
    assert said.status == exits.USERS_MISTAKE
    assert ("it has staging" in said.err) or ("it has shop" in said.err)
    assert penstock("--output", "json", "list").json == []


def test_a_checkout_whose_remote_is_configured_must_have_been_pushed(penstock: Penstock, tmp_path: Path) -> None:
    penstock.checkout()
    new_repository(tmp_path / "remote.git", bare=True)
    git(penstock.here, "remote", "add", "origin", str(tmp_path / "remote.git"))
    with (penstock.here / "penstock.toml").open("a") as config:
        config.write(f'[repositories.central]\nurl = "{tmp_path}/remote.git"\n')
    penstock.commit()
    said = penstock("deploy")
    assert said.status == exits.USERS_MISTAKE
    assert "push it first" in said.err
    git(penstock.here, "push", "--quiet", "origin", "main")
    said = penstock("--output", "json", "deploy")
    assert said.status == 0
    assert said.json["deployments"][0]["revision"]["repository"] == "central"


def test_sync_deploys_what_changed_and_tells_of_what_it_could_not_reach(penstock: Penstock, tmp_path: Path) -> None:
    penstock.checkout()
    with (penstock.here / "penstock.toml").open("a") as config:
        config.write(f'[repositories.shop]\nurl = "{penstock.here}"\n')
    assert penstock("sync").status == 0
    assert deployed(penstock, "local")
    assert penstock("--output", "json", "sync").json["deployments"] == []
    with (penstock.here / "penstock.toml").open("a") as config:
        config.write(f'[repositories.gone]\nurl = "{tmp_path}/gone"\n')
    said = penstock("sync")
    assert said.status == exits.WORLDS_FAILURE
    assert "penstock: repository gone at" in said.err
    (penstock.here / "penstock.yaml").write_text("penstock: v1\n")
    penstock.commit()
    said = penstock("sync")
    assert said.status == exits.USERS_MISTAKE
    assert "refused: " in said.err
    assert "refused: " in penstock("status").out


def test_sync_without_anything_to_do_says_what_is_missing(penstock: Penstock) -> None:
    said = penstock("sync")
    assert said.status == exits.USERS_MISTAKE
    assert "[repositories]" in said.err


def test_plan_prints_json_with_hosts_steps_and_ends(penstock: Penstock) -> None:
    penstock.checkout()
    head = penstock.add_production()
    planned = penstock("--output", "json", "plan", "--group", "production").json
    assert planned["commit_id"] == head
    (group,) = planned["groups"]
    assert group["steps"] == [{"type": "batch", "hosts": [f"web-{number}"]} for number in (1, 2, 3)]
    assert (group["earliest_end"], group["latest_end"]) == ("P0D", "PT360S")  # two scripts, 60 s each, three hosts
    assert group["current"] is None
    assert "after" not in group["settings"]  # alone it waits for nothing
    assert "once staging has the same revision" in penstock("plan").out
