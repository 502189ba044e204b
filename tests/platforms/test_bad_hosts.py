"""The bad input of hosts, as outcomes of targets in whole rollouts: one host is bad, and the others go on.

Here the real store and driver (or the whole program), and real sshd; what each matter does by itself is tested beside it:

host down, key changed, refused, no Python: `test_of_hosts_of_every_kind...`, `test_where_the_first...`; test_ssh_trouble
disk full on the host:                      `test_a_host_whose_disk_is_full...`; test_content_delivery, test_ssh_trouble
clock wrong by a year, or set meanwhile:    `test_a_host_whose_clock...`, `test_where_the_clock...`
answers after the deployment has gone on:   `test_a_host_that_answers_late...`; test_server_crashes
a script that prints 1 GB:                  `test_each_script...` (40 MB, so that it is cut off); test_server_scripts (1 GB)
prints binary, ignores TERM, daemonises,
closes its output, kills its parent:        `test_each_script...`; test_server_scripts
a bundle with 100,000 files:                test_content_delivery
with names in any encoding:                 `test_each_script...`; test_host_check, test_content_trees
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

import msgspec
import pytest
from cli_cases import Penstock
from host_cases import Machine, appspec, job
from host_rollouts import rollouts
from local_git import git, new_repository
from processes import is_running, kill
from sshd import PYTHON, Sshd, new_key, sshd
from store_cases import ONE_AT_A_TIME
from waiting import until

from runner.model.appspec import Script
from runner.model.deployment import DeploymentStatus
from runner.model.target import EventStatus, Host, LifecycleEvent, Target, TargetStatus
from runner.platforms.server.platform import ServerPlatform

SOON = dt.timedelta(seconds=1)


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
        yield {name: server.host(name, **(without if name == "pythonless" else {})) for name, server in servers.items()}


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


def test_where_the_first_host_is_bad_and_one_must_stay_healthy_the_others_are_not_touched(
    penstock: Penstock, tmp_path: Path
) -> None:
    with bad_hosts(tmp_path / "hosts") as hosts:
        checkout(penstock, list(hosts.values()), "OneAtATime")
        said = penstock("deploy")
        (made,) = penstock("--output", "json", "list").json
        described = penstock("--output", "json", "show", made["id"]).json
    assert said.status == 1
    assert described["deployment"]["error"]["code"] == "HEALTH_CONSTRAINTS"
    statuses = {each["id"]: each["status"] for each in described["targets"]}
    assert statuses == dict.fromkeys(hosts, "Skipped") | {"changed": "Failed"}
    assert "changed ApplicationStop failed: Host changed could not run ApplicationStop: THE KEY OF" in said.out


HOOK = """#!/bin/sh
cd "$PENSTOCK_ROOT" && echo $$ > "pid-$LIFECYCLE_EVENT"
case "$LIFECYCLE_EVENT $NAME" in
"BeforeInstall ignores-term") trap "" TERM; echo "no, thanks"; while :; do sleep 0.05; done ;;
"ValidateService prints-much") yes 0123456789 | head -c 40M; exit 3 ;;
"ValidateService prints-binary") cat "${0%/*}/raw"; exit 4 ;;
"ValidateService daemonises") sleep 60 & echo $! > daemon ;;
"ValidateService closes-its-output") exec >&- 2>&-; exit 5 ;;
"ValidateService kills-its-parent") kill -9 $PPID; sleep 60 ;;
"ValidateService kills-its-group") kill -9 0 ;;
esac
"""
HOOKS: dict[str, list[str | Script]] = {
    "BeforeInstall": [Script(location="hook.sh", timeout=3)],
    "ValidateService": [Script(location="hook.sh", timeout=60)],
}
ENDS = {
    "prints-much": ("ScriptFailed", "hook.sh failed with exit code 3"),
    "prints-binary": ("ScriptFailed", "hook.sh failed with exit code 4"),
    "ignores-term": ("ScriptTimedOut", "hook.sh failed to complete in 3 seconds"),
    "closes-its-output": ("ScriptFailed", "hook.sh failed with exit code 5"),
    "kills-its-parent": ("ScriptFailed", "hook.sh failed: the shell that it ran below was killed by signal 9"),
    "kills-its-group": ("ScriptFailed", "hook.sh failed: the shell that it ran below was killed by signal 9"),
}
NAMES = (b"app/caf\xe9", "app/\u65e5\u672c".encode(), b"app/\xff\xfe", b"app/-rf *", b"app/\x1b[31m")


async def test_each_script_that_misbehaves_is_the_outcome_of_its_own_host(tmp_path: Path) -> None:
    """With a bundle whose names are in any encoding, which all of them take."""
    raw = bytes(range(256)) * 300
    files: dict[str, str | bytes] = {os.fsdecode(name): name for name in NAMES} | {"hook.sh": HOOK, "raw": raw}
    with sshd(tmp_path / "sshd") as server:
        hosts = [at(server, name) for name in (*ENDS, "daemonises", "well")]
        async with rollouts(tmp_path / "control", hosts) as control:
            ended = await control.deploy(files, appspec({"app": "/srv"}, HOOKS))
            targets = control.targets(ended.id)
            found = {name: control.failure(ended.id, name) for name in ENDS}
    for name, failed in found.items():
        assert failed.diagnostics
        code, message = ENDS[name]
        assert (failed.diagnostics.error_code, failed.diagnostics.script_name) == (code, "hook.sh"), name
        assert failed.diagnostics.message.endswith(message), name
        assert not is_running(number_in(tmp_path / "sshd" / name / f"pid-{failed.name}")), name
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert {name for name, each in targets.items() if each.status is TargetStatus.SUCCEEDED} == {"daemonises", "well"}
    for host in hosts:
        if host.name != "ignores-term":  # that one never got to Install
            installed = (Path(host.folder) / "srv").iterdir()
            assert {b"app/" + os.fsencode(path.name) for path in installed} == {*NAMES}
    daemon = number_in(tmp_path / "sshd/daemonises/daemon")
    assert is_running(daemon)
    kill(daemon)


def at(server: Sshd, name: str, **of_ssh: Any) -> Host:
    """A host *name* with a folder of its own, behind *server*. Its scripts know their host's name."""
    host = server.host(name, folder=server.folder / name, keepalive=SOON, connect_timeout=SOON, **of_ssh)
    return msgspec.structs.replace(host, environment={"NAME": name})


def number_in(path: Path) -> int:
    return int(path.read_text())


def lines_of(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


class Road:
    """The way to *port*, which can be closed: then everything that is sent either way stays where it is."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open = asyncio.Event()
        self._open.set()

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[int]:
        """Its own port."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            self.reopen()
            server.close()

    def close(self) -> None:
        self._open.clear()

    def reopen(self) -> None:
        self._open.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(1 << 16):
                await self._open.wait()
                sink.write(piece)
                await sink.drain()
            await self._open.wait()
        sink.close()


def waiting(gate: Path) -> str:
    """A hook that leaves word on every host; on web-1 it waits while there is *gate*."""
    return (
        '#!/bin/sh\necho "$DEPLOYMENT_ID" >> "$PENSTOCK_ROOT/ran"\n'
        f'while [ "$NAME" = web-1 ] && [ -e {gate} ]; do sleep 0.02; done\n'
        'echo "$DEPLOYMENT_ID" >> "$PENSTOCK_ROOT/done"\n'
    )


async def test_a_host_that_answers_late_changes_nothing_and_the_next_deployment_waits_for_what_still_runs_there(
    tmp_path: Path,
) -> None:
    gate, spec = tmp_path / "gate", appspec({}, {"BeforeInstall": ["hook.sh"]})
    none, files = {"hook.sh": waiting(tmp_path / "no gate")}, {"hook.sh": waiting(gate)}
    with sshd(tmp_path / "sshd") as server:
        road = Road(server.port)
        web_1, web_2 = at(server, "web-1"), at(server, "web-2")
        ran, done = (Path(web_1.folder) / name for name in ("ran", "done"))
        async with (
            road.laid() as port,
            rollouts(tmp_path / "control", [by(road, web_1, port, tmp_path, server), web_2]) as control,
        ):
            first = await control.deploy(none, spec)
            assert first.status is DeploymentStatus.SUCCEEDED

            gate.touch()
            second = control.begin(files, spec)
            await until(lambda: second in lines_of(ran))
            road.close()
            assert (await control.ended(second)).status is DeploymentStatus.SUCCEEDED  # it went on without web-1
            given_up = control.failure(second, "web-1")
            assert given_up.diagnostics
            assert given_up.name == "BeforeInstall"
            assert given_up.diagnostics.error_code == "UnknownError"
            assert "web-1 could not run BeforeInstall, after trying for " in given_up.diagnostics.message
            assert ": the host has not answered for " in given_up.diagnostics.message

            third = await control.deploy(
                none, spec, rollout=ONE_AT_A_TIME, rollback_on=("DEPLOYMENT_FAILURE",)
            )  # begins with web-1, and fails
            assert third.status is DeploymentStatus.FAILED
            assert third.rollback
            assert third.rollback.rollback_deployment_id
            back = await control.ended(third.rollback.rollback_deployment_id)
            assert control.targets(back.id)["web-1"].status is TargetStatus.FAILED
            before = [(each, control.targets(each.id)) for each in control.store.deployments()]

            road.reopen()
            fourth = control.begin(none, spec)
            state = Path(web_1.folder) / "var/lib/penstock"
            await until(lambda: any(state.glob(f"*/{fourth}/journal")))  # it has been asked ...
            await until(lambda: fourth in lines_of(Path(web_2.folder) / "done"))
            assert lines_of(ran) == [first.id, second]  # ... and waits
            gate.unlink()
            assert (await control.ended(fourth)).status is DeploymentStatus.SUCCEEDED
            assert control.targets(fourth)["web-1"].status is TargetStatus.SUCCEEDED
            assert lines_of(ran) == lines_of(done) == [first.id, second, fourth]
            assert [(each, control.targets(each.id)) for each in control.store.deployments()][1:] == before


def by(road: Road, host: Host, port: int, folder: Path, server: Sshd) -> Host:
    """*host*, reached by *road*, which ends at our *port*."""
    known = folder / "known_hosts"
    known.write_text(server.known_hosts.read_text().replace(f":{server.port} ", f":{port} "))
    assert host.ssh
    return msgspec.structs.replace(host, ssh=msgspec.structs.replace(host.ssh, port=port, known_hosts=str(known)))


YEAR = 365 * 86400  # seconds
OTHER_TIME = """#!{python} -IS
# Python with another clock, which can be set while it runs: {clock} says by how many seconds.
import runpy, sys, time
right = time.time
time.time = lambda: right() + int(open({clock!r}).read() or 0)
sys.argv = sys.argv[1:]
while sys.argv[0].startswith("-") and sys.argv[0] != "-c":
    del sys.argv[0]
if sys.argv[0] == "-c":
    exec(sys.argv.pop(1))
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("wrong", "then"), [(f"-{YEAR}", f"{YEAR}"), (f"{YEAR}", f"-{YEAR}")])
async def test_a_host_whose_clock_is_wrong_by_a_year_is_deployed_to_and_its_time_limits_hold(
    wrong: str, then: str, tmp_path: Path
) -> None:
    clock, gate = tmp_path / "clock", tmp_path / "gate"
    clock.write_text(wrong)
    spec = appspec({"app": "/srv"}, {"BeforeInstall": [Script(location="hook.sh", timeout=60)]})
    short = appspec({"app": "/srv"}, {"BeforeInstall": [Script(location="hook.sh", timeout=2)]})
    files: dict[str, str | bytes] = {"hook.sh": waiting(gate), "app/x": "1"}
    began = dt.datetime.now(dt.UTC)
    python = tmp_path / "python"
    python.write_text(OTHER_TIME.format(python=PYTHON, clock=str(clock)))
    python.chmod(0o755)
    with sshd(tmp_path / "sshd") as server:
        hosts = [at(server, "web-1", python=str(python)), at(server, "web-2")]
        ran = Path(hosts[0].folder) / "ran"
        async with rollouts(tmp_path / "control", hosts) as control:
            gate.touch()
            first = control.begin(files, spec)
            await until(lambda: first in lines_of(ran))
            clock.write_text(then)  # it is set by two years while a script runs
            gate.unlink()
            await control.ended(first)
            gate.touch()
            second = control.begin(files, short)
            await until(lambda: second in lines_of(ran))
            clock.write_text(wrong)
            await control.ended(second)
            targets = {each: control.targets(each) for each in (first, second)}
        seen = [entry["at"] for entry in entries(hosts[0], first) if entry["kind"] == "began"]
    assert {name: each.status for name, each in targets[first].items()} == dict.fromkeys(
        ("web-1", "web-2"), TargetStatus.SUCCEEDED
    )
    assert targets[second]["web-2"].status is TargetStatus.SUCCEEDED
    failed = control_failure(targets[second]["web-1"])
    assert failed.diagnostics
    assert failed.diagnostics.error_code == "ScriptTimedOut", failed
    assert failed.started_at
    assert failed.ended_at
    assert failed.ended_at - failed.started_at >= dt.timedelta(seconds=1.9)
    years = {abs((dt.datetime.fromisoformat(each) - began).days) for each in seen}
    assert min(years) > 360, "the host did not see another time"
    ended = dt.datetime.now(dt.UTC)
    for of_deployment in targets.values():
        for target in of_deployment.values():
            for event in target.lifecycle_events:
                if event.started_at:
                    assert event.ended_at
                    assert began <= event.started_at <= event.ended_at <= ended


def control_failure(target: Target) -> LifecycleEvent:
    (failed,) = [each for each in target.lifecycle_events if each.status is EventStatus.FAILED]
    return failed


def entries(host: Host, deployment: str) -> list[dict[str, Any]]:
    """The journal of *deployment* on *host*."""
    (path,) = Path(host.folder).glob(f"var/lib/penstock/*/{deployment}/journal")
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_where_the_clock_of_a_host_jumps_what_it_keeps_stays_in_bounds(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.platform = machine.another_platform(max_revisions=2)
    for number, jump in enumerate((0, YEAR, -YEAR, YEAR, 0, -YEAR, -YEAR, YEAR), start=1):
        outcomes = await machine.deploy(job(machine.bundle({"x": str(number)}), appspec({"x": "/srv"}), f"d-{number}"))
        assert all(outcome.succeeded for outcome in outcomes.values())
        kept = {path.name for path in (machine.state / "group-1").iterdir() if path.is_dir()}
        assert kept >= {f"d-{number}", f"d-{max(1, number - 1)}"}
        assert len(kept) <= 3
        os.utime(machine.state / "group-1" / f"d-{number}", (time.time() + jump,) * 2)
    await machine.close()


FULL_DISK = """
import asyncio, json, sys
from pathlib import Path
from host_cases import appspec
from host_rollouts import rollouts
from runner.model.target import Host

async def main(disk, other, files, spec):
    folders = {"full": disk + "/host", "well": other + "/host"}
    hosts = [Host(name=name, folder=folder, environment={"NAME": name}) for name, folder in folders.items()]
    async with rollouts(Path(other) / "control", hosts, by_content=True) as control:
        said = []
        for _ in range(2):
            ended = await control.deploy(files, spec)
            events = [each for each in control.targets(ended.id)["full"].lifecycle_events if each.diagnostics]
            last = events[-1]
            said.append({
                "statuses": {name: each.status for name, each in control.targets(ended.id).items()},
                "event": last.name, "code": last.diagnostics.error_code, "message": last.diagnostics.message,
            })
            (Path(disk) / "host/fill").unlink(missing_ok=True)
            (Path(disk) / "room").touch()
    print(json.dumps(said))

files = {name: value if name.endswith(".sh") else bytes.fromhex(value) for name, value in json.load(sys.stdin).items()}
spec = appspec({"app": "/srv"}, {"ValidateService": ["hook.sh"]})
asyncio.run(main(*sys.argv[1:], files, spec))
"""


def on_a_small_disk(tmp_path: Path, size: str, files: Mapping[str, str]) -> Any:
    """What two deployments of *files* came to on a host with a disk of that *size*: in a mount namespace of our own.

    Bundles come by content. The file `fill` is removed in between.
    """
    disk, other = tmp_path / "disk", tmp_path / "other"
    disk.mkdir()
    other.mkdir()
    script = f'mount -t tmpfs -o size={size} tmpfs "$1" && shift && exec "$@"'
    namespace = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    child = [sys.executable, "-c", FULL_DISK, str(disk), str(other)]
    done = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", str(disk), *child],
        input=json.dumps(files).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=90,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    return json.loads(done.stdout)


def test_a_host_whose_disk_is_full_while_it_installs_fails_alone(tmp_path: Path) -> None:
    content = os.urandom(3 << 20).hex()
    first, second = on_a_small_disk(tmp_path, "5m", {"hook.sh": "#!/bin/sh\n", "app/x": content})
    assert first["statuses"] == second["statuses"] == {"full": "Failed", "well": "Succeeded"}
    assert (first["event"], first["code"]) == ("Install", "UnknownError")
    assert first["message"] == f"[Errno 28] No space left on device: '{tmp_path}/disk/host/srv/x'"
    assert "No space left on device" in second["message"]


PRINTS = f"yes {'x' * 99} | head -c 8M; exit 3\n"


@pytest.mark.parametrize(
    "fills", ["", 'head -c 20M /dev/zero > "$PENSTOCK_ROOT/fill"\n'], ids=["by its output", "by the script"]
)
def test_a_host_whose_disk_is_full_while_a_script_prints_ends_clearly(fills: str, tmp_path: Path) -> None:
    """Whether the end of the script could still be recorded or not. With room again, the host is as any other."""
    hook = f'#!/bin/sh\n[ -e "$PENSTOCK_ROOT/../room" ] && exit\n[ "$NAME" = full ] || exit 0\n{fills}{PRINTS}'
    first, second = on_a_small_disk(tmp_path, "5m", {"hook.sh": hook, "app/x": "00"})
    assert first["statuses"] == {"full": "Failed", "well": "Succeeded"}
    assert first["event"] == "ValidateService"
    if first["code"] == "ScriptFailed":
        assert first["message"].endswith("hook.sh failed with exit code 3")
    else:
        assert first["message"].startswith("This host cannot keep its journal: ")
        assert "the disk is full" in first["message"] or "No space left on device" in first["message"]
    assert second["statuses"]["well"] == "Succeeded"
    if fills:
        assert second["statuses"]["full"] == "Succeeded"
    else:
        assert "No space left on device" in second["message"]
