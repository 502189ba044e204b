"""The listener, over a real socket."""

import asyncio
import json
import resource
import socket
from typing import Any

import pytest
from listening import client, listening
from waiting import until

from runner.api.asgi import CANCELS, Receive, Scope, Send, answer
from runner.api.serving.address import parse_address
from runner.api.site import Mounts
from runner.errors import UserError, WorldError


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await answer(send, 200, {"path": scope["path"], "body": body.decode()})


EVERYTHING = Mounts(api=echo, enrol=echo, bundles=echo)


async def test_health_is_told() -> None:
    async with listening() as address, client(address) as one:
        status, headers, body = await one.ask("GET /healthz")
    assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {"status": "ok"})


async def test_a_database_that_cannot_be_read_is_503() -> None:
    def failing() -> dict[str, Any]:
        raise WorldError("the disk is full")

    async with listening(health=failing) as address, client(address) as one:
        status, _, body = await one.ask("GET /healthz")
    assert (status, json.loads(body)) == (503, {"status": "failing", "message": "the disk is full"})


@pytest.mark.parametrize("head", ["GET /", "POST /", "GET /bucket/key", "POST /enrol", "GET /service/x"])
async def test_without_the_api_nothing_but_health_is_served(head: str) -> None:
    async with listening() as address, client(address) as one:
        status, headers, body = await one.ask(head)
    assert (status, headers["content-type"]) == (404, "application/json")
    assert "there is nothing" in json.loads(body)["message"]


@pytest.mark.parametrize(
    "head", ["POST /", "PUT /", "POST /service/X/operation/Y", "POST /enrol", "GET /bucket/some/key", "HEAD /b/k"]
)
async def test_each_path_goes_to_its_place(head: str) -> None:
    method, path = head.split()
    async with listening(EVERYTHING) as address, client(address) as one:
        await one.send(f"{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        first, _, rest = (await one.rest()).partition(b"\r\n")
    assert first == b"HTTP/1.1 200 OK"
    body = rest.partition(b"\r\n\r\n")[2]
    assert body == (
        b"" if method == "HEAD" else json.dumps({"path": path, "body": "{}"}, separators=(",", ":")).encode()
    )


@pytest.mark.parametrize("head", ["PUT /bucket/key", "POST /bucket/key", "DELETE /enrolled", "PUT /healthz"])
async def test_what_is_nobodys_path_is_404(head: str) -> None:
    async with listening(EVERYTHING) as address, client(address) as one:
        assert (await one.ask(head))[0] == 404


async def test_a_get_of_the_root_says_what_this_is() -> None:
    async with listening(EVERYTHING) as address, client(address) as one:
        status, headers, body = await one.ask("GET /")
    assert (status, body.count(b"\n")) == (200, 2)
    assert "date" in headers
    assert "server" not in headers


async def test_one_connection_serves_many_requests_also_pipelined_ones() -> None:
    async with listening(EVERYTHING) as address, client(address) as one:
        for number in range(3):
            assert json.loads((await one.ask("POST /", b"%d" % number))[2])["body"] == str(number)
        pipelined = b"".join(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n%d" % each for each in range(5))
        await one.send(pipelined)
        assert [json.loads((await one.answer())[2])["body"] for _ in range(5)] == list("01234")


async def test_an_answer_is_one_segment() -> None:
    async with listening(EVERYTHING) as address:
        received: list[bytes] = []

        class Recorder(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                received.append(data)

        transport, _ = await asyncio.get_running_loop().create_connection(Recorder, *address)
        for number in range(1, 21):
            transport.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
            await until(lambda so_far=number: b"".join(received).endswith(b"}") and len(received) >= so_far)
        transport.close()
    assert len(received) == 20
    assert all(each.startswith(b"HTTP/1.1 200 OK\r\n") and each.endswith(b"}") for each in received)


async def test_expect_100_continue_is_answered_before_the_body_comes() -> None:
    async with listening(EVERYTHING) as address, client(address) as one:
        await one.send(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert (await one.answer())[0] == 100
        await one.send(b"{}")
        assert (await one.answer())[0] == 200


async def test_a_request_is_cancelled_at_once_when_its_client_hangs_up() -> None:
    told: list[Any] = []

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        told.append(CANCELS in scope["extensions"])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async with listening(Mounts(api=waits)) as address, client(address) as one:
        await one.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        await until(lambda: len(told) == 1)
        one.hang_up()
        await until(lambda: told == [True, "cancelled"])


async def test_when_the_listener_ends_held_requests_are_answered_and_nobody_is_let_in() -> None:
    stop, waiting = asyncio.Event(), asyncio.Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        waiting.set()
        await stop.wait()
        await answer(send, 200, {})

    async with listening(Mounts(api=held), stopping=stop.set) as address:
        reader, writer = await asyncio.open_connection(*address)
        idle = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\n\r\n")
        await waiting.wait()
    said = await reader.read()
    assert said.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in said
    assert said.endswith(b"{}")
    assert await idle[0].read() == b""
    for each in (writer, idle[1]):
        each.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_a_bug_behind_the_listener_is_a_500_and_the_listener_goes_on() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a bug")

    async with listening(Mounts(api=broken)) as address:
        async with client(address) as one:
            assert (await one.ask("POST /"))[0] == 500
        async with client(address) as one:
            assert (await one.ask("GET /healthz"))[0] == 200


async def test_an_address_in_use_is_the_worlds_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WorldError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
            async with listening(address=f"127.0.0.1:{port}"):
                pass


@pytest.mark.parametrize("open_to_others", ["0.0.0.0:0", "[::]:0"])
async def test_an_address_that_others_can_reach_needs_tls_or_an_explicit_word(open_to_others: str) -> None:
    with pytest.raises(UserError, match=r"open to other machines.*--without-tls"):
        async with listening(address=open_to_others):
            pass
    here = "127.0.0.1" if "0.0" in open_to_others else "::1"
    async with listening(address=open_to_others, without_tls=True) as (_, port), client((here, port)) as one:
        assert (await one.ask("GET /healthz"))[0] == 200


@pytest.mark.parametrize("loopback", ["localhost:0", "127.0.0.2:0", "[::1]:0"])
async def test_loopback_needs_nothing(loopback: str) -> None:
    async with listening(address=loopback) as address, client(address) as one:
        assert (await one.ask("GET /healthz"))[0] == 200


@pytest.mark.parametrize("wrong", ["8300", "127.0.0.1", "127.0.0.1:x", ":8300", "127.0.0.1:70000"])
def test_an_address_needs_host_and_port(wrong: str) -> None:
    with pytest.raises(UserError, match="HOST:PORT"):
        parse_address(wrong)


def test_ipv6_hosts_stand_in_brackets() -> None:
    assert parse_address("[::1]:8300") == ("::1", 8300)


async def test_the_limit_of_open_files_limits_connections_too() -> None:
    from runner.api.serving.listener import _room_for_connections

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert _room_for_connections() <= soft
