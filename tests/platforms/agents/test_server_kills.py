"""The control side is killed with -9 at random moments of deployments to agents; each event runs once all the same."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import agent_rig as rig_module
from agent_rig import ARN, Deployments
from host_cases import EVENTS, appspec
from official_agent import OfficialAgent

KILLS = 4


class ServerProcess:
    def __init__(self, folder: Path, *hosts: str) -> None:
        self._folder, self._hosts = folder, hosts
        self.address = "127.0.0.1:0"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(rig_module.__file__),
            str(self._folder),
            self.address,
            *self._hosts,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            self.address = (await self._process.stdout.readline()).decode().strip()
        assert self.address, "the server did not start"

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


async def test_a_server_that_is_killed_over_and_over_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    chance = random.Random(4)
    world = Deployments(tmp_path / "world")
    server = ServerProcess(tmp_path / "world", "web-1", "web-2")
    await server.start()
    agents = [_patient_agent(server, world, tmp_path, host) for host in ("web-1", "web-2")]
    try:
        for agent in agents:
            await asyncio.to_thread(agent.start)
        made = [world.begin({"a.txt": f"{number}"}, appspec(), name=f"group-{number}") for number in range(6)]
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.02, 0.4))
            await server.kill()
            await server.start()
        for deployment in made:
            ended = await world.ended(deployment, within=90)
            assert ended.status == "Succeeded", _told(world, deployment)
    finally:
        for agent in agents:
            agent.die()
        await server.kill()
        for agent in agents:
            await asyncio.to_thread(agent.stop)
        world.store.close()
    for agent in agents:
        assert sorted(agent.executed) == sorted((event, deployment) for event in EVENTS for deployment in made)


async def test_a_server_that_dies_while_a_bundle_is_fetched_from_it_fails_no_host(tmp_path: Path) -> None:
    world = Deployments(tmp_path / "world")
    server = ServerProcess(tmp_path / "world", "web-1")
    await server.start()
    agent = _patient_agent(server, world, tmp_path, "web-1")
    fetched, asked = agent.download, threading.Event()

    def download(specification: dict[str, Any]) -> bytes:
        if not asked.is_set():
            server.freeze()  # so that the request is on its way when the server dies
            asked.set()
        return fetched(specification)

    agent.download = download  # type: ignore[method-assign]
    try:
        await asyncio.to_thread(agent.start)
        deployment = world.begin({"a.txt": "a"}, appspec())
        assert await asyncio.to_thread(asked.wait, 60)
        await asyncio.sleep(0.3)
        await server.kill()
        await server.start()
        ended = await world.ended(deployment, within=90)
        assert ended.status == "Succeeded", _told(world, deployment)
    finally:
        agent.die()
        await server.kill()
        await asyncio.to_thread(agent.stop)
        world.store.close()
    assert [event for event, _ in agent.executed] == list(EVENTS)


def _patient_agent(server: ServerProcess, world: Deployments, folder: Path, host: str) -> OfficialAgent:
    """The SDK gives up after 2.1 s in all; this one does after a minute, as some machines take long to start a server."""
    return OfficialAgent(
        f"http://{server.address}",
        folder / host,
        key=world.key(host),
        identifier=f"{ARN}{host}",
        retry_pace=1,
        more_retries=50,
    )


def _told(world: Deployments, deployment: str) -> Any:
    """Of its journal, what went wrong."""
    wrong = [each for each in world.store.journal(deployment) if "failed" in each.kind or "skipped" in each.kind]
    return [(each.kind, each.target, each.lifecycle_event, each.details) for each in wrong]
