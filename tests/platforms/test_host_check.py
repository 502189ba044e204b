"""What a check explains of a host, through a real session; and that it changes nothing there."""

import fcntl
import os
import pwd
import shutil
import signal
from pathlib import Path

import pytest
from host_cases import EVENTS, Machine, appspec, job
from msgspec.structs import replace
from sshd import sshd
from waiting import until

from runner.errors import WorldError
from runner.host.checks.scratch import Scratch
from runner.model.appspec import AclEntry, Permission, Script
from runner.model.explanation import Explanation
from runner.model.target import Host
from runner.platforms.server.connection import LONGEST_MESSAGE

Snapshot = dict[str, tuple[object, ...]]


def snapshot(folder: Path) -> Snapshot:
    """Everything that lstat tells of everything below *folder*, but times of access; and every content."""
    found: Snapshot = {}
    for path in [folder, *folder.rglob("*")]:
        s = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (
            s.st_mode,
            s.st_ino,
            s.st_nlink,
            s.st_uid,
            s.st_gid,
            s.st_size,
            s.st_mtime_ns,
            s.st_ctime_ns,
            content,
        )
    return found


def scratches() -> list[str]:
    return [str(path) for folder in ("/var/tmp", "/tmp") for path in Path(folder).glob("penstock-check-*")]


def problems(found: Explanation, event: str) -> str:
    return "\n".join(problem.message for problem in found.problems if problem.event == event)


FILES: dict[str, str | bytes] = {"say.sh": "exit 0", "app/a": "12345", "app/sub/b": "1"}


async def test_a_first_deployment_is_explained(machine: Machine) -> None:
    machine.root.mkdir()
    spec = appspec({"app": "/srv"}, {"ApplicationStart": [Script(location="say.sh", timeout=60)]})
    found = await machine.platform.check(job(machine.bundle(FILES), spec), machine.host)
    root = str(machine.root)
    assert found.directories == (f"{root}/srv", f"{root}/srv/sub")
    assert [(copy.source, copy.destination, copy.size) for copy in found.copies] == [
        ("app/a", f"{root}/srv/a", 5),
        ("app/sub/b", f"{root}/srv/sub/b", 1),
    ]
    [script] = found.scripts
    assert (script.event, script.location, script.deployment) == ("ApplicationStart", "say.sh", None)
    assert (script.timeout, script.exists, script.executable, script.interpreter) == (60, True, True, "/bin/sh")
    assert found.problems == found.removed == found.kept == ()
    assert found.space[0].needed >= 4 * 4096
    assert found.space[0].free > found.space[0].needed


@pytest.mark.parametrize("by_content", [False, True])
async def test_a_check_changes_nothing_on_the_host(machine: Machine, by_content: bool) -> None:
    hooks: dict[str, list[str | Script]] = {event: ["say.sh"] for event in EVENTS}
    bundle = machine.bundle(FILES)
    await machine.deploy(job(bundle, appspec({"app": "/srv"}, hooks), "d-1"))
    (machine.root / "srv/mine").write_text("x")
    before, left = snapshot(machine.root), scratches()
    machine.platform._by_content = by_content
    other = machine.bundle({**FILES, "app/mine": "2", "app/new": "3"})
    found = await machine.platform.check(job(other, appspec({"app": "/srv"}, hooks), "check"), machine.host)
    assert snapshot(machine.root) == before
    assert scratches() == left
    assert "srv/mine" in problems(found, "Install")


async def test_a_host_whose_folder_is_not_there_yet_does_not_get_one(machine: Machine) -> None:
    found = await machine.platform.check(job(machine.bundle(FILES), appspec({"app": "/srv"})), machine.host)
    assert not machine.root.exists()
    assert found.problems == ()
    assert any("does not exist yet; it will be made" in note for note in found.notes)
    nowhere = Host(name="web-9", folder=str(machine.folder / "no/such"))
    found = await machine.platform.check(job(machine.bundle(FILES), appspec({"app": "/srv"})), nowhere)
    assert "nor its parent exist" in problems(found, "ApplicationStop")


async def test_what_the_check_foretells_is_what_the_deployment_does(machine: Machine) -> None:
    spec = appspec({"app": "/srv"}, {"ApplicationStop": ["say.sh"]})
    await machine.deploy(job(machine.bundle(FILES), spec, "d-1"))
    (machine.root / "srv/sub/stray").write_text("x")
    made = job(machine.bundle({**FILES, "app/new/c": "3"}), spec, "d-2")
    found = await machine.platform.check(made, machine.host)
    assert {os.path.relpath(path, machine.root) for path in found.removed} == {"srv/a", "srv/sub/b"}
    assert {os.path.relpath(path, machine.root) for path in found.kept} == {"srv", "srv/sub"}
    assert [(script.event, script.deployment) for script in found.scripts if script.deployment] == [
        ("ApplicationStop", "d-1")
    ]
    outcomes = await machine.deploy(made)
    assert all(outcome.succeeded for outcome in outcomes.values())
    cleanup = (machine.state / "deployment-instructions/group-1-cleanup").read_text().splitlines()
    assert sorted(cleanup) == sorted([*found.directories, *(copy.destination for copy in found.copies)])


async def test_everything_that_would_fail_is_told_with_its_lifecycle_event(machine: Machine) -> None:
    (machine.root / "srv").mkdir(parents=True)
    (machine.root / "srv/a").write_text("mine")
    (machine.root / "file").write_text("")
    files: dict[str, str | bytes] = {
        **FILES,
        "windows.sh": b"#!/bin/sh\r\nexit 0\r\n",
        "odd.sh": b"#!/no/such/interpreter\n",
        "env.sh": b"#!/usr/bin/env no-such-program\n",
    }
    hooks: dict[str, list[str | Script]] = {
        "BeforeInstall": ["gone.sh", "windows.sh"],
        "AfterInstall": ["odd.sh", "env.sh"],
        "ValidateService": [Script(location="say.sh", runas="nobody-knows"), Script(location="say.sh", runas="nobody")],
    }
    permissions = (Permission(object="/srv", owner="nobody-knows", group="none-such"),)
    spec = appspec({"app": "/srv", "missing": "/srv", "say.sh": "/file/below"}, hooks, permissions)
    found = await machine.platform.check(job(machine.bundle(files), spec), machine.host)
    install = problems(found, "Install")
    assert f"already exists at this location: {machine.root}/srv/a" in install
    assert "The source missing cannot be copied: No such file" in install
    assert f"{machine.root}/file is not a directory, so nothing can be put below it." in install
    assert "the user nobody-knows, whom this host does not have" in install
    assert "the group none-such, which this host does not have" in install
    assert "gone.sh: there is no such script in the bundle" in problems(found, "BeforeInstall")
    assert "windows.sh: has Windows line ends" in problems(found, "BeforeInstall")
    assert "odd.sh: its interpreter /no/such/interpreter is not on this host" in problems(found, "AfterInstall")
    assert "env.sh: its interpreter no-such-program is not in the PATH" in problems(found, "AfterInstall")
    assert "runs as nobody-knows, whom this host does not have" in problems(found, "ValidateService")
    if pwd.getpwnam("nobody").pw_shell.endswith(("nologin", "false")):
        assert "lets nobody in" in problems(found, "ValidateService")


async def test_overwritten_and_retained_files_are_told(machine: Machine) -> None:
    (machine.root / "srv").mkdir(parents=True)
    (machine.root / "srv/a").write_text("mine")
    made = job(machine.bundle(FILES), appspec({"app": "/srv"}), file_exists_behavior="OVERWRITE")
    found = await machine.platform.check(made, machine.host)
    assert [copy.destination for copy in found.copies if copy.replaces] == [f"{machine.root}/srv/a"]
    made = job(machine.bundle(FILES), appspec({"app": "/srv"}), file_exists_behavior="RETAIN")
    found = await machine.platform.check(made, machine.host)
    assert found.retained == (f"{machine.root}/srv/a",)
    assert found.problems == ()


async def test_permissions_are_told_path_by_path(machine: Machine) -> None:
    machine.root.mkdir()
    acl = AclEntry(default=False, kind="user", name="none-such", perms="r--")
    permissions = (Permission(object="/srv", types=("file",), mode="640", acls=(acl,)),)
    found = await machine.platform.check(
        job(machine.bundle(FILES), appspec({"app": "/srv"}, None, permissions)), machine.host
    )
    assert [(each.type, each.mode, each.acl) for each in found.permissions[:2]] == [
        ("chmod", "640", ()),
        ("setfacl", None, ("user:none-such:r--",)),
    ]
    assert len(found.permissions) == 4
    assert "the user none-such, whom this host does not have" in problems(found, "Install")
    assert ("need the program setfacl" in problems(found, "Install")) is (shutil.which("setfacl") is None)


async def test_a_bundle_that_cannot_be_unpacked_fails_at_download(machine: Machine) -> None:
    machine.root.mkdir()
    bundle = machine.bundle(FILES)
    Path(bundle.path).write_bytes(b"nonsense")
    found = await machine.platform.check(job(bundle, appspec()), machine.host)
    assert "Expected deployment artifact bundle sha256" in problems(found, "DownloadBundle")


async def test_the_options_of_the_executor_count(machine: Machine) -> None:
    machine.root.mkdir()
    spec = appspec({"../../../../../srv": "/x"}, {"AfterInstall": ["../../../other.sh"]})
    kept = machine.another_platform(keep_inside_bundle=True)
    found = await kept.check(job(machine.bundle(FILES), spec), machine.host)
    assert "leads out of the bundle" in problems(found, "Install")
    assert "leads out of the bundle" in problems(found, "AfterInstall")


async def test_names_in_any_encoding_are_installed_explained_and_cleaned_up(machine: Machine) -> None:
    latin, invalid = os.fsdecode("app/gr\u00fc\u00df".encode("latin-1")), os.fsdecode(b"app/\xff\xfe")
    files: dict[str, str | bytes] = {"app/日本": "1", latin: "2", invalid: "3"}
    spec = appspec({"app": "/srv"}, None, (Permission(object="/srv", mode="600"),))
    machine.root.mkdir()
    bundle = machine.bundle(files)
    found = await machine.platform.check(job(bundle, spec, "d-1"), machine.host)
    assert {os.fsencode(copy.source) for copy in found.copies} == {os.fsencode(name) for name in files}
    outcomes = await machine.deploy(job(bundle, spec, "d-1"))
    assert all(outcome.succeeded for outcome in outcomes.values())
    installed = {b"app/" + os.fsencode(path.name) for path in (machine.root / "srv").iterdir()}
    assert installed == {os.fsencode(name) for name in files}
    assert {path.stat().st_mode & 0o777 for path in (machine.root / "srv").iterdir()} == {0o600}
    await machine.deploy(job(machine.bundle({}), appspec(), "d-2"))
    assert not (machine.root / "srv").exists()


async def test_an_explanation_that_is_longer_than_any_message_comes_in_pieces(machine: Machine) -> None:
    machine.root.mkdir()
    bundle = machine.bundle({f"app/{number}": "" for number in range(5_000)})
    found = await machine.platform.check(job(bundle, appspec({"app": f"/{'long' * 50}" * 5})), machine.host)
    assert sum(len(copy.destination) for copy in found.copies) > LONGEST_MESSAGE
    assert len(found.copies) == 5_000


async def test_a_deployment_under_way_is_noted(machine: Machine) -> None:
    await machine.deploy(job(machine.bundle(FILES), appspec({"app": "/srv"}), "d-1"))
    with (machine.state / "deployment-instructions/group-1-lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = await machine.platform.check(job(machine.bundle(FILES), appspec({"app": "/srv"})), machine.host)
    assert any("under way on this host" in note for note in found.notes)


async def test_an_old_executor_is_said_to_be_old(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.platforms.server import platform as module

    sent = module.request_for
    monkeypatch.setattr(module, "request_for", lambda *args, **named: {**sent(*args, **named), "deployment": "../x"})
    with pytest.raises(WorldError, match="did not understand the request"):
        await machine.platform.check(job(machine.bundle(FILES), appspec()), machine.host)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_scratch_folder_goes_even_when_its_maker_is_killed(tmp_path: Path, number: int) -> None:
    child = os.fork()
    if child == 0:
        with Scratch(str(tmp_path)) as folder:
            inner = Path(folder) / "closed"
            inner.mkdir()
            (inner / "file").touch()
            inner.chmod(0)
            signal.pause()
        os._exit(0)
    await until(lambda: bool(list(tmp_path.glob("*/closed"))))
    os.kill(child, number)
    await until(lambda: os.waitpid(child, os.WNOHANG)[0] == child)
    await until(lambda: not list(tmp_path.iterdir()))


def test_what_a_crash_of_the_machine_left_goes_with_the_next_check(tmp_path: Path) -> None:
    old, fresh, other = (tmp_path / name for name in ("penstock-check-old", "penstock-check-new", "other"))
    for folder in (old, fresh, other):
        (folder / "x").mkdir(parents=True)
    for folder in (old, other):
        os.utime(folder, (0, 0))
    with Scratch(str(tmp_path)) as used:
        os.utime(used, (0, 0))
        with Scratch(str(tmp_path)):
            assert Path(used).exists()
    assert sorted(tmp_path.iterdir()) == [other, fresh]


ENVIRONMENT = 'env > "$PENSTOCK_ROOT/seen"'


async def test_no_secret_of_the_control_side_reaches_a_script_even_when_everything_is_allowed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROL_TOKEN", "hunter2")
    platform = machine.another_platform(environment_allow=("*",))
    command = machine.command("ValidateService", {"env.sh": ENVIRONMENT}, {"ValidateService": ["env.sh"]})
    for event in ("DownloadBundle", "ValidateService"):
        assert (await platform.run(replace(command, lifecycle_event=event), lambda text: None)).succeeded
    seen = (machine.root / "seen").read_text()
    assert "COLOUR=blue" in seen
    assert "CONTROL_TOKEN" not in seen
    assert "hunter2" not in seen


async def test_over_ssh_the_bundle_comes_by_content_and_only_the_allowed_variables_of_the_login_are_passed_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROL_TOKEN", "hunter2")
    machine.root.mkdir()
    platform = machine.another_platform(environment_allow=("*",))
    command = machine.command("ValidateService", {"env.sh": ENVIRONMENT, **FILES}, {"ValidateService": ["env.sh"]})
    with sshd(machine.folder / "sshd") as server:
        host = server.host(folder=machine.root)
        spec = appspec({"app": "/srv"}, {"ValidateService": ["env.sh"]})
        found = await platform.check(job(machine.bundle({"env.sh": ENVIRONMENT, **FILES}), spec), host)
        assert [copy.source for copy in found.copies] == ["app/a", "app/sub/b"]
        assert found.problems == ()
        assert scratches() == []
        for event in ("DownloadBundle", "ValidateService"):
            asked = replace(command, lifecycle_event=event, host=host)
            assert (await platform.run(asked, lambda text: None)).succeeded
        await platform.close()
    seen = (machine.root / "seen").read_text()
    assert "SSH_CONNECTION=" in seen
    assert "hunter2" not in seen
