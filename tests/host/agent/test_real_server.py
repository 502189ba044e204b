"""Our agent against the real control side: enrolment, whole deployments, and both killed in the middle."""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agent_cases import HOST, AgentHost
from agent_rig import AgentRig, now
from agent_server import AgentServer
from host_cases import EVENTS, appspec
from waiting import until

from runner.model.host_command import AgentTimeouts
from runner.model.target import Host

HOOKS = {event: ["say.sh"] for event in EVENTS if event not in ("DownloadBundle", "Install")}
SAY = 'echo "$LIFECYCLE_EVENT" | tee -a "$PENSTOCK_ROOT/trace"'
FILES = {"say.sh": f"#!/bin/sh\n{SAY}\n", "app/page": "hello"}
SPEC = appspec({"app": "/srv"}, HOOKS)
SEED = 20261124
KILLS = 8


class Both:
    """A control side, and a host whose agent has enrolled with it."""

    def __init__(self, rig: AgentRig, host: AgentHost) -> None:
        self.rig, self.host = rig, host

    async def enrol(self) -> None:
        fingerprint = self.rig.signing_key.fingerprint()
        token = self.rig.store.keys.invite(HOST, fingerprint, dt.timedelta(hours=1), now())
        words = ["enrol", "--server", self.rig.url, "--token", token, "--config", str(self.host.config)]
        work = await asyncio.create_subprocess_exec(
            *self.host.command, *words, "--host-state", str(self.host.state), stderr=asyncio.subprocess.PIPE
        )
        _, said = await work.communicate()
        assert work.returncode == 0, said.decode()

    async def deploy(self, within: float = 60) -> str:
        """The ID of a deployment that has succeeded, once everything that it should have done has been done once."""
        deployment = self.rig.begin(FILES, SPEC)
        ended = await self.rig.ended(deployment, within)
        assert ended.status == "Succeeded", self.rig.failure(deployment)
        return deployment


@contextlib.asynccontextmanager
async def serving(folder: Path, host: AgentHost, address: str = "127.0.0.1:0") -> AsyncIterator[AgentRig]:
    there = Host(name=HOST, transport="agent", folder=str(host.root))
    rig = AgentRig(folder, [there], AgentTimeouts(), lost_after=dt.timedelta(seconds=1))
    ready = asyncio.Event()
    work = asyncio.create_task(rig.serve(address, ready))
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield rig
    finally:
        await rig.close()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        rig.store.close()


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    host = AgentHost(tmp_path, AgentServer())
    async with serving(tmp_path / "control", host) as rig:
        made = Both(rig, host)
        await made.enrol()
        try:
            yield made
        finally:
            await asyncio.to_thread(host.stop)


def trace(host: AgentHost) -> list[str]:
    path = host.root / "trace"
    lines = path.read_text().split()
    path.unlink()
    return lines


async def test_an_enrolled_host_is_deployed_to_and_what_its_scripts_print_arrives(both: Both) -> None:
    both.host.start()
    for first in (True, False):
        deployment = await both.deploy()
        assert trace(both.host) == [event for event in HOOKS if not (first and event == "ApplicationStop")]
        assert set(both.rig.statuses(deployment).values()) == {"Succeeded"}
    said = both.rig.logs.read(deployment, HOST)
    assert [line for line in said.splitlines() if "[stdout]" in line] == [f"[stdout]{event}" for event in HOOKS]
    assert (both.host.root / "srv/page").read_text() == "hello"


async def test_output_that_grows_when_it_is_written_as_json_arrives_whole(both: Both) -> None:
    """Every character of it takes two or six as JSON, and a call has a limit."""
    both.host.start()
    script = "#!/bin/sh\nyes '\"\\' | head -c 300000\nprintf '\\033%.0s' $(seq 100000)\necho END\n"
    spec = appspec({"app": "/srv"}, {"AfterInstall": ["loud.sh"]})
    deployment = both.rig.begin({"loud.sh": script, "app/page": "hello"}, spec)
    assert (await both.rig.ended(deployment)).status == "Succeeded", both.rig.failure(deployment)
    log = both.rig.logs.read(deployment, HOST)
    assert (log.count('"'), log.count("\x1b"), log.rstrip()[-3:]) == (100000, 100000, "END"), len(log)


async def test_a_failed_script_is_the_targets_failure(both: Both) -> None:
    both.host.start()
    files = {"bad.sh": "#!/bin/sh\necho broken; exit 3\n"}
    deployment = both.rig.begin(files, appspec({}, {"AfterInstall": ["bad.sh"]}))
    assert (await both.rig.ended(deployment)).status == "Failed"
    found = both.rig.failure(deployment)
    assert found.name == "AfterInstall"
    assert found.diagnostics is not None
    assert (found.diagnostics.error_code, found.diagnostics.script_name) == ("ScriptFailed", "bad.sh")
    assert "[stdout]broken" in found.diagnostics.log_tail


async def test_a_bundle_that_has_gone_from_the_server_is_said_in_its_words(both: Both) -> None:
    deployment = both.rig.begin(FILES, SPEC)
    (both.rig.folder / "0.tgz").unlink()
    both.host.start()
    assert (await both.rig.ended(deployment)).status == "Failed"
    found = both.rig.failure(deployment)
    assert found.diagnostics is not None
    assert found.diagnostics.message == (
        "The bundle cannot be fetched from the server: NoSuchKey: there is no such bundle, or it is not part of a "
        "deployment to this host"
    )


async def test_a_check_finds_nothing_wrong(both: Both) -> None:
    work = await asyncio.create_subprocess_exec(
        *both.host.command, "check", "--config", str(both.host.config), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await work.communicate()
    assert work.returncode == 0, said.decode()
    assert "the server knows the key" in said.decode()


async def test_the_agent_may_be_killed_at_any_moment(both: Both) -> None:
    chooser, kills = random.Random(SEED), 0
    both.host.start()
    await both.deploy()
    trace(both.host)
    while kills < KILLS:
        work = asyncio.create_task(both.deploy())
        while not work.done():
            await asyncio.wait({work}, timeout=chooser.uniform(0.05, 0.8))
            if not work.done():
                both.host.kill()
                both.host.start()
                kills += 1
        deployment = await work
        assert trace(both.host) == list(HOOKS)
        said = both.rig.logs.read(deployment, HOST)
        assert [line for line in said.splitlines() if "[stdout]" in line] == [f"[stdout]{event}" for event in HOOKS]


async def test_a_control_side_that_is_replaced_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    host = AgentHost(tmp_path, AgentServer())
    wait = 'touch "$PENSTOCK_ROOT/at"; echo one; until test -e "$PENSTOCK_ROOT/go"; do sleep 0.01; done; echo two'
    try:
        async with serving(tmp_path / "control", host) as rig:
            await Both(rig, host).enrol()
            address = rig.address
            host.start()
            deployment = rig.begin({"s.sh": f"#!/bin/sh\n{wait}\n"}, appspec({}, {"AfterInstall": ["s.sh"]}))
            await until(lambda: (host.root / "at").exists())
        (host.root / "go").touch()
        async with serving(tmp_path / "control", host, address) as rig:
            assert (await rig.ended(deployment, 90)).status == "Succeeded"
            said = rig.logs.read(deployment, HOST).splitlines()
            assert [line for line in said if line.startswith("[stdout]")][-2:] == ["[stdout]one", "[stdout]two"]
    finally:
        await asyncio.to_thread(host.stop)
