"""Blue/green deployments to hosts that our own agent works on: the real program, four agents, requests all the while."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.test_fleets import ALLOW, AT_ONCE, BLOCK, TERMINATED, TwoFleets
from instance_fleet import Fleet
from serving import Server, serving
from support.cloud import Cloud
from support.traffic import Load

from runner.platforms.server.agent import agent_zipapp


class AgentFleet(Fleet):
    """The server reaches none of its hosts: each has an agent."""

    def _host(self, number: int, name: str) -> str:
        return super()._host(number, name) + 'transport = "agent"\n'


class Agents:
    """One process for each host, as its user has it: a zipapp that has enrolled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir()
        self._zipapp = folder / "penstock-agent.pyz"
        self._zipapp.write_bytes(agent_zipapp())
        self._command = [sys.executable, "-I", "-S", str(self._zipapp)]
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, server: Server, host: str) -> None:
        token = server.penstock("keys", "enrol", host)["token"]
        config, state = self._folder / f"{host}.json", self._folder / host
        words = ["enrol", "--server", server.url, "--token", token, "--config", str(config), "--host-state", str(state)]
        done = subprocess.run([*self._command, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        with (self._folder / f"{host}.log").open("wb") as log:
            self._running.append(
                subprocess.Popen(
                    [*self._command, "run", "--config", str(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={"PATH": os.environ["PATH"]},
                )
            )

    def close(self) -> None:
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


@pytest.fixture
def both(tmp_path: Path, aws: Cloud) -> Iterator[TwoFleets]:
    fleet, agents = AgentFleet(tmp_path, aws, (0, 1, 0, 1)), Agents(tmp_path / "agents")
    try:
        with serving(fleet.config, tmp_path / "state", aws.environ) as server:
            fleet.serve(server)
            for number in range(len(fleet.instances)):
                agents.start(server, f"web-{number}")
            yield TwoFleets(fleet)
    finally:
        agents.close()
        fleet.close()


def test_traffic_goes_to_hosts_that_agents_have_installed_and_no_request_is_lost(both: TwoFleets) -> None:
    both.replace(AT_ONCE, {"action": "KEEP_ALIVE"})
    with Load(both.fleet.world.open(both.fleet.listener), parallel=4) as load:
        load.wait_for(20)
        made = both.deploy("two")
        both.fleet.ended(made)
        load.wait_for(20)
        assert set(load.shares(last=10)) == {"two"}
    assert load.failures == [] and set(load.shares()) == {"one", "two"}
    assert both.states() == dict.fromkeys(both.b, "healthy")
    labels = {name: target["instanceLabel"] for name, target in both.fleet.targets(made).items()}
    assert labels == dict.fromkeys(both.a, "Blue") | dict.fromkeys(both.b, "Green")


def test_a_rollback_brings_the_traffic_back_to_hosts_with_agents(both: TwoFleets) -> None:
    both.replace(AT_ONCE, TERMINATED)
    with Load(both.fleet.world.open(both.fleet.listener), parallel=4) as load:
        made = both.deploy("two")
        both.waits_for_termination(made)
        load.wait_for(20)
        assert set(load.shares(last=10)) == {"two"}
        both.client.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
        stopped = both.fleet.ended(made, "Stopped")
        back = stopped["rollbackInfo"]["rollbackDeploymentId"]
        both.fleet.ended(back)
        load.wait_for(20)
        assert set(load.shares(last=10)) == {"one"}
    assert load.failures == []
    assert both.states() == dict.fromkeys(both.a, "healthy")
    events = {name: [each["lifecycleEventName"] for each in told] for name, told in both.events(back).items()}
    assert events == dict.fromkeys(both.a, ALLOW) | dict.fromkeys(both.b, BLOCK)
