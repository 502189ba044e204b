"""Each host is driven by the platform of its transport."""

from pathlib import Path

import pytest
from fakes.platform import FakePlatform
from host_cases import appspec, commands, job, tgz

from runner.errors import AgentsNotServed
from runner.model.command import Command
from runner.model.target import Host
from runner.platforms.by_transport import ByTransport, check_reach


def command(folder: Path, host: Host) -> Command:
    return commands(job(tgz(folder / "b.tgz", {}), appspec()), host)[0]


async def test_hosts_with_an_agent_go_to_their_platform_and_all_others_to_the_server_s(tmp_path: Path) -> None:
    server, agents = FakePlatform(), FakePlatform()
    both = ByTransport(server, agents)
    for name, transport in (("a", "local"), ("b", "ssh"), ("c", "agent")):
        host = Host(name=name, transport=transport)  # type: ignore[arg-type]
        assert (await both.run(command(tmp_path, host), lambda text: None)).succeeded
    assert [key[1] for key in server.ran] == ["a", "b"]
    assert [key[1] for key in agents.ran] == ["c"]
    await both.close()
    assert server.closed
    assert agents.closed


async def test_without_a_listener_a_host_with_an_agent_fails_at_once_untouched(tmp_path: Path) -> None:
    alone = ByTransport(FakePlatform(), None)
    outcome = await alone.run(command(tmp_path, Host(name="c", transport="agent")), lambda text: None)
    assert (outcome.succeeded, outcome.began) == (False, False)
    assert "penstock serve" in outcome.diagnostics.message
    await alone.close()


def test_hosts_with_an_agent_are_refused_where_nobody_listens() -> None:
    hosts = [Host(name=f"web-{number}", transport="agent") for number in range(5)]
    check_reach(hosts, serves_agents=True)
    check_reach([Host(name="db")], serves_agents=False)
    with pytest.raises(AgentsNotServed, match=r"web-0, web-1, web-2 and 2 more: .*start `penstock serve`"):
        check_reach(hosts, serves_agents=False)
