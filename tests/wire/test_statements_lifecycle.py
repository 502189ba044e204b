"""Statements 28 to 35 and 49 of the behaviour reference: lifecycle events, scripts and rollback, over the wire.

34 is about Auto Scaling groups, which are not built yet.
"""

from pathlib import Path

import pytest
from processes import is_running
from wire_world import WireWorld, bundle_of, fails_on, held_by

SEVEN = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
]


def statuses(world: WireWorld, deployment_id: str, target: str = "h01") -> list[str]:
    return [event["status"] for event in world.events(deployment_id, target).values()]


def says(text: str) -> str:
    return f'echo "{text} in $DEPLOYMENT_ID"\n'


def test_statement_28_the_stop_script_of_a_first_deployment_does_not_run(world: WireWorld):
    group = world.group("s28", "one")
    ended = world.deployed(group, world.bundle({"ApplicationStop": says("stops"), "BeforeInstall": says("goes")}))
    assert ended["status"] == "Succeeded"
    assert world.events(ended["deploymentId"], "h01")["ApplicationStop"]["status"] == "Succeeded"
    log = world.log(ended["deploymentId"], "h01")
    assert "goes" in log
    assert "stops" not in log


def test_statement_29_the_stop_script_is_the_last_bundles_and_belongs_to_this_deployment(world: WireWorld):
    group = world.group("s29", "one")
    world.deployed(group, world.bundle({"ApplicationStop": says("first stops")}))
    second = world.deployed(group, world.bundle({"ApplicationStop": says("second stops")}))
    assert second["status"] == "Succeeded"
    log = world.log(second["deploymentId"], "h01")
    assert f"first stops in {second['deploymentId']}" in log
    assert "second stops" not in log


def test_statement_30_what_was_installed_and_then_failed_is_what_stops_next(world: WireWorld):
    group = world.group("s30", "one")
    world.deployed(group, world.bundle({"ApplicationStop": says("first stops")}))
    second = world.bundle({"ApplicationStop": says("second stops"), "ValidateService": "exit 1"})
    assert world.deployed(group, second)["status"] == "Failed"
    third = world.deployed(group)
    assert third["status"] == "Succeeded"
    assert f"second stops in {third['deploymentId']}" in world.log(third["deploymentId"], "h01")


def test_statement_31_a_failing_stop_script_fails_the_host_unless_it_is_to_be_ignored(world: WireWorld):
    group = world.group("s31", "one")
    world.deployed(group, world.bundle({"ApplicationStop": "exit 1"}))
    strict = world.deployed(group)
    assert strict["status"] == "Failed"
    assert statuses(world, strict["deploymentId"]) == ["Failed", *["Skipped"] * 6]
    lenient = world.deployed(group, ignoreApplicationStopFailures=True)
    assert (lenient["status"], lenient["ignoreApplicationStopFailures"]) == ("Succeeded", True)
    assert statuses(world, lenient["deploymentId"]) == ["Failed", *["Succeeded"] * 6]


def test_statement_32_ignoring_stop_failures_forgives_no_other_event(world: WireWorld):
    group = world.group("s32", "one")
    failing = world.bundle({"BeforeInstall": "exit 1"})
    ended = world.deployed(group, failing, ignoreApplicationStopFailures=True)
    assert ended["status"] == "Failed"
    expected = ["Succeeded", "Succeeded", "Failed", *["Skipped"] * 4]
    assert statuses(world, ended["deploymentId"]) == expected


def test_statement_33_without_a_load_balancer_there_are_no_traffic_events(world: WireWorld):
    group = world.group("s33", "one")
    ended = world.deployed(group)
    assert list(world.events(ended["deploymentId"], "h01")) == SEVEN


def test_statement_35_a_script_past_its_time_is_ended_with_its_children_and_the_next_never_runs(
    world: WireWorld, tmp_path: Path
):
    group, child, second = world.group("s35", "one"), tmp_path / "child", tmp_path / "second"
    spec = (
        "version: 0.0\nos: linux\nhooks:\n  AfterInstall:\n"
        "    - {location: slow.sh, timeout: 2}\n    - {location: next.sh, timeout: 60}\n"
    )
    slow = f'#!/bin/sh\nsleep 300 &\necho $! > "{child}.new"\nmv "{child}.new" "{child}"\nwait\n'
    files = {"appspec.yml": spec, "slow.sh": slow, "next.sh": f'#!/bin/sh\ntouch "{second}"\n'}
    ended = world.deployed(group, world.bundle(files=files))
    assert ended["status"] == "Failed"
    event = world.events(ended["deploymentId"], "h01")["AfterInstall"]
    assert (event["diagnostics"]["errorCode"], event["diagnostics"]["scriptName"]) == ("ScriptTimedOut", "slow.sh")
    assert statuses(world, ended["deploymentId"]) == [*["Succeeded"] * 4, "Failed", "Skipped", "Skipped"]
    assert not second.exists()
    assert child.exists(), "the machine is too slow to begin a script within 2 s"
    world.until(lambda: not is_running(int(child.read_text())))


def test_statement_49_a_rollback_is_a_new_deployment_of_the_last_good_revision(world: WireWorld):
    good = world.bundle()
    group = world.group("s49", "two", autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    world.deployed(group, good, fileExistsBehavior="OVERWRITE", description="the good one")
    failed = world.deployed(group, world.bundle({"AfterInstall": "exit 1"}), fileExistsBehavior="RETAIN")
    assert failed["status"] == "Failed"
    back = world.ended(failed["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["status"], back["creator"], back["revision"]) == ("Succeeded", "codeDeployRollback", good)
    assert (back["fileExistsBehavior"], failed["fileExistsBehavior"]) == ("OVERWRITE", "RETAIN")
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == failed["deploymentId"]
    message = f"Deployment {back['deploymentId']} is triggered to roll back deployment {failed['deploymentId']}."
    assert message == failed["rollbackInfo"]["rollbackMessage"] == back["rollbackInfo"]["rollbackMessage"]


@pytest.mark.parametrize("pinned", [True, False])
def test_a_rollback_brings_back_the_very_object_though_its_key_holds_another_by_now(world: WireWorld, pinned: bool):
    key = f"s49-{pinned}.tgz"
    group = world.group(
        f"s49-{pinned}", "one", autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    )
    first = world.bundle({"BeforeInstall": says("first")}, key=key)
    if not pinned:
        del first["s3Location"]["eTag"]
    world.deployed(group, first)
    second = world.bundle({"BeforeInstall": fails_on("h01", first=says("second"))}, key=key)
    failed = world.deployed(group, second)
    assert failed["status"] == "Failed"
    back = world.ended(failed["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["status"], back["revision"]) == ("Succeeded", first)
    assert f"first in {back['deploymentId']}" in world.log(back["deploymentId"], "h01")


def test_a_commit_on_github_is_deployed_and_its_scripts_know_it(world: WireWorld):
    group = world.group("git", "one")
    files = bundle_of({"AfterInstall": 'echo "commit $BUNDLE_COMMIT, bucket ${BUNDLE_BUCKET-none}"'}, "appspec.yaml")
    world.origin.commit(files)
    for name in files:
        if name.endswith(".sh"):
            (world.origin.clone / name).chmod(0o755)
    commit = world.origin.commit({"again": "with scripts that may be executed"})
    location = {"revisionType": "GitHub", "gitHubLocation": {"repository": "acme/shop", "commitId": commit}}
    ended = world.deployed(group, location)
    assert (ended["status"], ended["revision"]) == ("Succeeded", location)
    assert f"commit {commit}, bucket none" in world.log(ended["deploymentId"], "h01")
    lost = {"revisionType": "GitHub", "gitHubLocation": {"repository": "acme/shop", "commitId": "0" * 40}}
    failed = world.deployed(group, lost)
    assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "INVALID_REVISION")


def test_scripts_know_the_object_that_an_open_revision_turned_out_to_be(world: WireWorld):
    group = world.group("open", "one")
    location = world.bundle({"AfterInstall": 'echo "from $BUNDLE_KEY, $BUNDLE_ETAG"'}, key="open.tgz")
    etag = location["s3Location"].pop("eTag")
    ended = world.deployed(group, location)
    assert (ended["status"], ended["revision"]) == ("Succeeded", location)
    assert f"from open.tgz, {etag}" in world.log(ended["deploymentId"], "h01")


def test_a_stop_lets_the_script_under_way_end_and_starts_nothing_more(world: WireWorld, tmp_path: Path):
    gate = tmp_path / "gate"
    group = world.group("stop", "two", config="CodeDeployDefault.OneAtATime")
    made = world.deploy(group, world.bundle({"BeforeInstall": held_by(gate)}))
    world.until(lambda: world.get(made)["status"] == "InProgress")
    world.until(lambda: world.events(made, "h01")["BeforeInstall"]["status"] == "InProgress")
    assert world.client.stop_deployment(deploymentId=made)["status"] == "Pending"
    assert world.get(made)["status"] == "InProgress"
    gate.touch()
    ended = world.ended(made)
    assert (ended["status"], ended["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert statuses(world, made) == [*["Succeeded"] * 3, *["Skipped"] * 4]
    assert world.targets(made)["h02"]["status"] == "Skipped"
    assert world.client.stop_deployment(deploymentId=made)["status"] == "Succeeded"
