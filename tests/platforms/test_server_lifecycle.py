"""The seven lifecycle events on a local host. Numbers in names: the testable statements of the CodeDeploy reference."""

from pathlib import Path

import pytest
from host_cases import COMMIT, EVENTS, Machine, appspec, job

from runner.model.appspec import FileExistsBehavior, Permission, Script
from runner.model.command import Job
from runner.model.revision import S3Revision

SAY = 'echo "$LIFECYCLE_EVENT $DEPLOYMENT_ID" >> "$PENSTOCK_ROOT/said"'
ALL_HOOKS: dict[str, list[str | Script]] = {
    event: ["say.sh"] for event in EVENTS if event not in ("DownloadBundle", "Install")
}


def said(machine: Machine) -> list[str]:
    path = machine.root / "said"
    return path.read_text().splitlines() if path.exists() else []


def simple_job(machine: Machine, deployment: str, files: dict[str, str | bytes], **of_job: object) -> Job:
    """Deploys the bundle's folder `app` to /srv/app."""
    return job(machine.bundle({"say.sh": SAY, **files}), appspec({"app": "/srv/app"}), deployment, **of_job)  # type: ignore[arg-type]


async def test_a_whole_deployment_runs_its_scripts_in_order_and_installs_its_files(machine: Machine) -> None:
    bundle = machine.bundle({"say.sh": SAY, "app/index.html": "one", "app/sub/x": "two"})
    outcomes = await machine.deploy(job(bundle, appspec({"app": "/srv/app"}, ALL_HOOKS)))
    assert [outcome.succeeded for outcome in outcomes.values()] == [True] * 7
    assert said(machine) == [f"{event} d-000000001" for event in ALL_HOOKS if event != "ApplicationStop"]
    assert (machine.root / "srv/app/index.html").read_text() == "one"
    assert (machine.root / "srv/app/sub/x").read_text() == "two"
    assert all(outcome.started_at and outcome.ended_at for outcome in outcomes.values())


async def test_28_a_first_deployment_has_no_application_stop_to_run(machine: Machine) -> None:
    bundle = machine.bundle({"say.sh": SAY})
    outcomes = await machine.deploy(job(bundle, appspec({}, ALL_HOOKS)), events=("ApplicationStop",))
    assert outcomes["ApplicationStop"].succeeded
    assert said(machine) == []


async def test_29_application_stop_is_the_last_revisions_in_the_new_deployments_name(machine: Machine) -> None:
    for number in (1, 2):
        bundle = machine.bundle({"stop.sh": f'{SAY}; echo "stop of {number}"'})
        await machine.deploy(job(bundle, appspec({}, {"ApplicationStop": ["stop.sh"]}), f"d-{number}"))
    assert said(machine) == ["ApplicationStop d-2"]
    log = (machine.state / "group-1/d-2/logs/scripts.log").read_text()
    assert "[stdout]stop of 1\n" in log
    assert not (machine.state / "group-1/d-1/logs/scripts.log").exists()


async def test_30_a_revision_that_was_installed_and_then_failed_is_the_one_to_stop(machine: Machine) -> None:
    for number in (1, 2, 3):
        bundle = machine.bundle({"stop.sh": f'echo "{number}" >> $PENSTOCK_ROOT/said', "bad.sh": "exit 1"})
        hooks: dict[str, list[str | Script]] = {"ApplicationStop": ["stop.sh"]}
        if number == 2:
            hooks["ValidateService"] = ["bad.sh"]
        await machine.deploy(job(bundle, appspec({}, hooks), f"d-{number}"))
    assert said(machine) == ["1", "2"]


async def test_a_revision_that_never_reached_install_is_not_the_one_to_stop(machine: Machine) -> None:
    for number in (1, 2, 3):
        bundle = machine.bundle({"stop.sh": f'echo "{number}" >> $PENSTOCK_ROOT/said', "bad.sh": "exit 1"})
        hooks: dict[str, list[str | Script]] = {"ApplicationStop": ["stop.sh"]}
        if number == 2:
            hooks["BeforeInstall"] = ["bad.sh"]
        await machine.deploy(job(bundle, appspec({}, hooks), f"d-{number}"))
    assert said(machine) == ["1", "1"]


async def test_31_after_a_failed_stop_script_the_rest_can_still_be_asked_for(machine: Machine) -> None:
    bundle = machine.bundle({"bad.sh": "echo no; exit 7", "app/x": "x"})
    spec = appspec({"app": "/srv"}, {"ApplicationStop": ["bad.sh"]})
    await machine.deploy(job(bundle, spec, "d-1"))
    outcomes = await machine.deploy(job(bundle, spec, "d-2"), stop_on_failure=False)
    stop = outcomes.pop("ApplicationStop")
    assert not stop.succeeded
    assert stop.diagnostics.error_code == "ScriptFailed"
    assert stop.diagnostics.message == "Script at specified location: bad.sh failed with exit code 7"
    assert all(outcome.succeeded for outcome in outcomes.values())


@pytest.mark.parametrize("gone", ["group-1/d-1", "group-1/d-1/deployment-archive/appspec.yml"])
async def test_application_stop_fails_when_the_installed_revision_is_gone(machine: Machine, gone: str) -> None:
    bundle = machine.bundle({"stop.sh": "true"})
    await machine.deploy(job(bundle, appspec({}, {"ApplicationStop": ["stop.sh"]}), "d-1"))
    (machine.state / gone).rename(machine.folder / "gone")
    outcomes = await machine.deploy(job(bundle, appspec(), "d-2"))
    assert list(outcomes) == ["ApplicationStop"]
    assert outcomes["ApplicationStop"].diagnostics.error_code == "UnknownError"
    (machine.state / "deployment-instructions/group-1_last_successful_install").unlink()
    assert (await machine.deploy(job(bundle, appspec(), "d-3")))["ValidateService"].succeeded


async def test_35_after_a_script_that_takes_too_long_the_next_never_runs(machine: Machine) -> None:
    slow = Script(location="slow.sh", timeout=1)
    bundle = machine.bundle({"slow.sh": "echo waiting; sleep 60 & sleep 60", "next.sh": SAY})
    outcomes = await machine.deploy(job(bundle, appspec({}, {"AfterInstall": [slow, "next.sh"]})))
    assert list(outcomes)[-1] == "AfterInstall"
    diagnostics = outcomes["AfterInstall"].diagnostics
    assert (diagnostics.error_code, diagnostics.script_name) == ("ScriptTimedOut", "slow.sh")
    assert diagnostics.message == "Script at specified location: slow.sh failed to complete in 1 seconds"
    assert diagnostics.log_tail.endswith("Script - slow.sh\n[stdout]waiting\n")
    assert said(machine) == []


async def test_36_a_stray_file_fails_install_after_the_old_files_are_gone(machine: Machine) -> None:
    await machine.deploy(simple_job(machine, "d-1", {"app/old": "1"}))
    (machine.root / "srv/app/new").write_text("stray")
    (machine.root / "srv/app/newer").write_text("stray")
    outcomes = await machine.deploy(simple_job(machine, "d-2", {"app/new": "2", "app/newer": "2"}))
    message = outcomes["Install"].diagnostics.message
    for name in ("new", "newer"):  # all of them at once
        assert f"already exists at this location: {machine.root}/srv/app/{name}" in message
    assert not (machine.root / "srv/app/old").exists()
    assert (machine.root / "srv/app/new").read_text() == "stray"


@pytest.mark.parametrize(("behavior", "first", "second"), [("RETAIN", "stray", "stray"), ("OVERWRITE", "1", None)])
async def test_37_retain_keeps_a_stray_file_for_good_and_overwrite_owns_it(
    machine: Machine, behavior: FileExistsBehavior, first: str, second: str | None
) -> None:
    stray = machine.root / "srv/app/x"
    stray.parent.mkdir(parents=True)
    stray.write_text("stray")
    await machine.deploy(simple_job(machine, "d-1", {"app/x": "1"}, file_exists_behavior=behavior))
    assert stray.read_text() == first
    await machine.deploy(simple_job(machine, "d-2", {"app/y": "2"}))
    assert (stray.read_text() if stray.exists() else None) == second


async def test_the_appspecs_own_behavior_wins(machine: Machine) -> None:
    (machine.root / "srv").mkdir(parents=True)
    (machine.root / "srv/x").write_text("stray")
    spec = appspec({"app": "/srv"}, file_exists_behavior="RETAIN")
    outcomes = await machine.deploy(job(machine.bundle({"app/x": "1"}), spec, file_exists_behavior="DISALLOW"))
    assert outcomes["ValidateService"].succeeded
    assert (machine.root / "srv/x").read_text() == "stray"


async def test_38_two_groups_cannot_install_the_same_path(machine: Machine) -> None:
    await machine.deploy(simple_job(machine, "d-1", {"app/x": "1"}, group_id="blue"))
    outcomes = await machine.deploy(simple_job(machine, "d-2", {"app/x": "1"}, group_id="green"))
    assert not outcomes["Install"].succeeded
    assert (machine.root / "srv/app/x").exists()


async def test_39_two_sources_for_one_destination_fail_before_any_copy(machine: Machine) -> None:
    bundle = machine.bundle({"a/x": "1", "b/x": "2"})
    outcomes = await machine.deploy(job(bundle, appspec({"a": "/srv", "b": "/srv/"})))
    assert "two source files" in outcomes["Install"].diagnostics.message
    assert not (machine.root / "srv").exists()


async def test_redeploying_removes_what_is_no_longer_there_and_keeps_foreign_files(machine: Machine) -> None:
    await machine.deploy(simple_job(machine, "d-1", {"app/a": "1", "app/sub/b": "1", "app/other/c": "1"}))
    (machine.root / "srv/app/a").write_text("edited")
    (machine.root / "srv/app/other/foreign").write_text("mine")
    outcomes = await machine.deploy(simple_job(machine, "d-2", {"app/a": "2"}))
    assert outcomes["ValidateService"].succeeded
    assert sorted(
        str(path.relative_to(machine.root / "srv/app")) for path in (machine.root / "srv/app").rglob("*")
    ) == [
        "a",
        "other",
        "other/foreign",
    ]
    assert (machine.root / "srv/app/a").read_text() == "2"


async def test_42_patterns_reach_one_level_and_two_stars_reach_all(machine: Machine) -> None:
    bundle = machine.bundle({"app/a.sh": "true", "app/sub/c.sh": "true", "app/b": "x"})
    for number, (pattern, except_, expected) in enumerate(
        [
            ("*.sh", (), {"a.sh"}),
            ("**", ("*.sh",), {"b", "sub", "sub/c.sh"}),
            ("**", (), {"a.sh", "b", "sub", "sub/c.sh"}),
        ]
    ):
        entry = Permission(object="/srv/app", pattern=pattern, except_=except_, mode="700")
        spec = appspec({"app": "/srv/app"}, permissions=(entry,))
        await machine.deploy(job(bundle, spec, f"d-{number}"))
        top = machine.root / "srv/app"
        changed = {str(path.relative_to(top)) for path in top.rglob("*") if path.stat().st_mode & 0o777 == 0o700}
        assert changed == expected


async def test_a_host_keeps_five_revisions_and_never_loses_the_last_installed(machine: Machine) -> None:
    good = machine.bundle({"bad.sh": "exit 1"})
    await machine.deploy(job(good, appspec(), "d-0"))
    for number in range(1, 8):
        await machine.deploy(job(good, appspec({}, {"BeforeInstall": ["bad.sh"]}), f"d-{number}"))
    kept = sorted(path.name for path in (machine.state / "group-1").iterdir())
    assert "d-0" in kept
    assert kept[-4:] == ["d-4", "d-5", "d-6", "d-7"]
    assert len(kept) <= 6


async def test_a_hook_sees_its_own_environment_and_nothing_of_ours(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leaked")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bundle = machine.bundle({"env.sh": 'env | sort > "$PENSTOCK_ROOT/env"; pwd > "$PENSTOCK_ROOT/pwd"; cat'})
    await machine.deploy(job(bundle, appspec({}, {"BeforeInstall": ["env.sh"]})))
    lines = (machine.root / "env").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert {
        name: found[name] for name in found if name not in ("HOME", "USER", "LOGNAME", "PWD", "PATH", "LANG", "_")
    } == {
        "APPLICATION_NAME": "shop",
        "BUNDLE_COMMIT": COMMIT,
        "COLOUR": "blue",
        "DEPLOYMENT_GROUP_ID": "group-1",
        "DEPLOYMENT_GROUP_NAME": "production",
        "DEPLOYMENT_ID": "d-000000001",
        "LIFECYCLE_EVENT": "BeforeInstall",
        "PENSTOCK_ROOT": str(machine.root),
    } | ({"SHLVL": found["SHLVL"]} if "SHLVL" in found else {})
    assert "leaked" not in "".join(lines)
    assert (machine.root / "pwd").read_text().strip() == str(machine.root)


async def test_a_hook_of_an_s3_revision_knows_its_object(machine: Machine) -> None:
    revision = S3Revision(bucket="b", key="k.tgz", bundle_type="tgz", etag="e", version=None)
    bundle = machine.bundle({"env.sh": 'env > "$PENSTOCK_ROOT/env"'})
    await machine.deploy(job(bundle, appspec({}, {"BeforeInstall": ["env.sh"]}), revision=revision))
    variables = [line for line in (machine.root / "env").read_text().splitlines() if line.startswith("BUNDLE")]
    assert sorted(variables) == ["BUNDLE_BUCKET=b", "BUNDLE_ETAG=e", "BUNDLE_KEY=k.tgz"]


async def test_a_missing_script_is_noticed_only_when_its_turn_comes(machine: Machine) -> None:
    bundle = machine.bundle({"say.sh": SAY})
    outcomes = await machine.deploy(job(bundle, appspec({}, {"BeforeInstall": ["say.sh", "gone.sh"]})))
    assert outcomes["BeforeInstall"].diagnostics.error_code == "ScriptMissing"
    assert outcomes["BeforeInstall"].diagnostics.script_name == "gone.sh"
    assert len(said(machine)) == 1


async def test_a_script_without_execute_bit_or_first_line_still_runs(machine: Machine) -> None:
    bundle = machine.bundle({"plain": 'echo plain > "$PENSTOCK_ROOT/plain"'})
    await machine.deploy(job(bundle, appspec({}, {"BeforeInstall": ["plain"]})))
    assert (machine.root / "plain").read_text() == "plain\n"


async def test_a_script_whose_interpreter_is_missing_failed(machine: Machine) -> None:
    bundle = machine.bundle({"crlf": "#!/bin/sh\r\ntrue\r\n"})
    outcomes = await machine.deploy(job(bundle, appspec({}, {"BeforeInstall": ["crlf"]})))
    assert outcomes["BeforeInstall"].diagnostics.error_code == "ScriptFailed"


async def test_a_bundle_that_is_not_the_expected_one_is_refused(machine: Machine) -> None:
    bundle = machine.bundle({"x": "1"})
    Path(bundle.path).write_bytes(b"something else")
    outcomes = await machine.deploy(job(bundle, appspec()))
    assert list(outcomes)[-1] == "DownloadBundle"
    assert (
        f"Expected deployment artifact bundle sha256 {bundle.sha256}" in outcomes["DownloadBundle"].diagnostics.message
    )
    assert not (machine.state / "group-1/d-000000001/deployment-archive").exists()


async def test_events_that_no_host_runs_are_refused(machine: Machine) -> None:
    outcome = await machine.run(machine.command("ApplicationStop", {}))
    assert outcome.succeeded
    blocked = job(machine.bundle({}), appspec(), "d-2")
    outcomes = await machine.deploy(blocked, events=("BlockTraffic",))
    assert "BlockTraffic is not a lifecycle event that a host can run" in outcomes["BlockTraffic"].diagnostics.message
