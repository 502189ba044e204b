"""What a real HAProxy says and does in the less happy cases."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from haproxy import Haproxy, free_port

from runner.config import LoadBalancerConfig
from runner.errors import InvalidLoadBalancer, LoadBalancerFailed
from runner.model.duration import parse_duration
from runner.model.target import Host
from runner.model.traffic import Backend, LoadBalancing
from runner.traffic.haproxy import Haproxy as HaproxyTraffic

WHERE = LoadBalancing(haproxy=(Backend(load_balancer="edge", name="app"),))
HOST = Host(name="web-1", folder="/h")


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Haproxy]:
    made = Haproxy(tmp_path / "one", {"web-1": free_port(), "web-2": free_port()}, checks=False)
    yield made
    made.stop()


def traffic(*addresses: str, servers: dict[str, str] | None = None, up: str = "30s") -> HaproxyTraffic:
    config = LoadBalancerConfig(
        name="edge", type="haproxy", addresses=addresses, servers=servers or {}, up_timeout=parse_duration(up)
    )
    return HaproxyTraffic([config])


def nothing(line: str) -> None: ...


async def test_it_is_reached_over_tcp_too(haproxy: Haproxy) -> None:
    await traffic(f"127.0.0.1:{haproxy.api}").block(HOST, WHERE, nothing)
    assert haproxy.status("web-1") == "MAINT"
    await traffic(f"127.0.0.1:{haproxy.api}").allow(HOST, WHERE, nothing)
    assert haproxy.status("web-1") == "no check"


async def test_a_host_may_have_another_name_there(haproxy: Haproxy) -> None:
    said: list[str] = []
    other = traffic(haproxy.address, servers={"web-1": "web-2"})
    await other.check([HOST], WHERE)
    await other.block(HOST, WHERE, said.append)
    assert [haproxy.status(name) for name in ("web-1", "web-2")] == ["no check", "MAINT"]
    assert said == ["haproxy edge: web-1 (server web-2) in backend app: out of traffic\n"]


async def test_of_two_balancers_both_are_told(haproxy: Haproxy, tmp_path: Path) -> None:
    second = Haproxy(tmp_path / "two", {"web-1": free_port()}, checks=False)
    try:
        await traffic(haproxy.address, second.address).block(HOST, WHERE, nothing)
        assert [each.status("web-1") for each in (haproxy, second)] == ["MAINT", "MAINT"]
    finally:
        second.stop()


async def test_of_two_balancers_one_that_refuses_is_named_and_the_other_is_told_all_the_same(haproxy: Haproxy) -> None:
    both = traffic(haproxy.address, str(haproxy.operator_socket))
    with pytest.raises(LoadBalancerFailed, match=r"operator\.sock.*needs `level admin`"):
        await both.block(HOST, WHERE, nothing)
    assert haproxy.status("web-1") == "MAINT"


async def test_a_socket_that_takes_no_orders_is_found_beforehand(haproxy: Haproxy) -> None:
    with pytest.raises(InvalidLoadBalancer, match="needs `level admin`"):
        await traffic(str(haproxy.operator_socket)).check([HOST], WHERE)


async def test_a_backend_that_is_not_there_is_named(haproxy: Haproxy) -> None:
    elsewhere = LoadBalancing(haproxy=(Backend(load_balancer="edge", name="nope"),))
    for asked in (
        traffic(haproxy.address).check([HOST], elsewhere),
        traffic(haproxy.address).block(HOST, elsewhere, nothing),
    ):
        with pytest.raises(LoadBalancerFailed, match=r"backend nope.*No such") as caught:
            await asked
        assert not caught.value.retryable


async def test_a_balancer_that_is_away_is_retryable_and_tried_again(haproxy: Haproxy) -> None:
    haproxy.stop()
    with pytest.raises(LoadBalancerFailed, match="cannot be reached") as caught:
        await traffic(haproxy.address).check([HOST], WHERE)
    assert caught.value.retryable
    said: list[str] = []
    away = asyncio.Event()

    def tell(line: str) -> None:
        said.append(line)
        away.set()

    blocking = asyncio.create_task(traffic(haproxy.address).block(HOST, WHERE, tell))
    await away.wait()
    haproxy.start()
    await blocking
    assert "trying again" in said[0]
    assert haproxy.status("web-1") == "MAINT"


async def test_what_is_no_haproxy_is_told_apart() -> None:
    async def chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example.com\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(chat, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LoadBalancerFailed, match="220 mail") as caught:
            await traffic(f"127.0.0.1:{port}").block(HOST, WHERE, nothing)
    assert not caught.value.retryable


async def test_the_last_check_is_told_when_a_host_is_not_up(tmp_path: Path) -> None:
    haproxy = Haproxy(tmp_path, {"web-1": free_port()})
    try:
        await traffic(haproxy.address).block(HOST, WHERE, nothing)
        with pytest.raises(LoadBalancerFailed, match=r"is DOWN and not up 1s after.*L4CON, "):
            await traffic(haproxy.address, up="1s").allow(HOST, WHERE, nothing)
    finally:
        haproxy.stop()
