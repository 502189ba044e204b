"""Traffic events go to the load balancer, all others to the host; a balancer's failure is an outcome."""

import asyncio
from pathlib import Path

from fakes.platform import FakePlatform
from fakes.traffic import FakeTraffic
from host_cases import appspec, commands, job, tgz
from msgspec.structs import replace

from runner.model.command import Command
from runner.model.target import Host
from runner.model.traffic import Backend, LoadBalancing
from runner.traffic.platform import WithTraffic

WHERE = LoadBalancing(haproxy=(Backend(load_balancer="edge", name="app"),))


def command(folder: Path, event: str, host: str = "web-1") -> Command:
    made = replace(job(tgz(folder / "b.tgz", {}), appspec(), "d-1"), load_balancer=WHERE)
    return replace(commands(made, Host(name=host))[0], job=made, lifecycle_event=event)


async def test_only_traffic_events_reach_the_balancer(tmp_path: Path) -> None:
    hosts, traffic = FakePlatform(), FakeTraffic("web-1")
    platform = WithTraffic(hosts, traffic)
    said: list[str] = []
    assert (await platform.run(command(tmp_path, "BlockTraffic"), said.append)).succeeded
    assert (traffic.in_traffic, hosts.ran) == (set(), [])
    assert said == ["LifecycleEvent - BlockTraffic\n", "web-1: out of traffic\n"]
    assert (await platform.run(command(tmp_path, "BeforeInstall"), said.append)).succeeded
    assert [key[2] for key in hosts.ran] == ["BeforeInstall"]
    assert (await platform.run(command(tmp_path, "AllowTraffic"), said.append)).succeeded
    assert traffic.in_traffic == {"web-1"}
    await platform.close()
    assert hosts.closed


async def test_a_balancer_that_fails_is_an_outcome(tmp_path: Path) -> None:
    platform = WithTraffic(FakePlatform(), FakeTraffic())
    outcome = await platform.run(command(tmp_path, "BlockTraffic"), lambda text: None)
    assert not outcome.succeeded
    assert outcome.diagnostics.error_code == "UnknownError"
    assert "no such server" in outcome.diagnostics.message


async def test_cancelling_ends_the_wait(tmp_path: Path) -> None:
    traffic = FakeTraffic("web-1", drain_looks=100_000)
    traffic.sessions["web-1"] = 1
    running = asyncio.create_task(
        WithTraffic(FakePlatform(), traffic).run(command(tmp_path, "BlockTraffic"), lambda text: None)
    )
    while "web-1" in traffic.in_traffic:  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
