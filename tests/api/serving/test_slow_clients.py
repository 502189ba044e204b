"""Clients that dribble, stay silent, do not listen, or are too many: real sockets."""

import asyncio
import json
from pathlib import Path

import pytest
from listening import client, deaf, listening, make_certificate

from runner.api.asgi import CLOSE, Receive, Scope, Send, answer
from runner.api.serving.connection import Limits
from runner.api.site import Mounts

SOON = 0.5  # seconds, for the one limit that a test is about
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


async def says_hello(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, 200, b"hello")


async def test_a_client_that_says_nothing_is_let_go() -> None:
    async with listening(limits=Limits(head=SOON)) as address, client(address) as one:
        assert await one.rest() == b""


async def test_a_head_that_dribbles_is_refused_however_steadily_it_comes() -> None:
    async with listening(limits=Limits(head=SOON)) as address, client(address) as one:
        await one.send(b"GET /healthz HTTP/1.1\r\n")
        dribbling = asyncio.create_task(dribble(one.send))
        try:
            assert (await one.rest()).startswith(b"HTTP/1.1 408 Request Timeout")
        finally:
            dribbling.cancel()
            await asyncio.gather(dribbling, return_exceptions=True)


async def test_a_second_head_on_a_connection_has_its_limit_too() -> None:
    async with listening(limits=Limits(head=SOON)) as address, client(address) as one:
        assert (await one.ask("GET /healthz"))[0] == 200
        await one.send(b"GET /hea")
        assert (await one.rest()).startswith(b"HTTP/1.1 408")


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with listening(limits=Limits(head=SOON)) as address, client(address) as one:
        assert (await one.ask("GET /healthz"))[0] == 200
        await one.send(b"\r\n\r\n")
        assert await one.rest() == b""


async def test_an_idle_connection_stays_its_time_and_then_ends() -> None:
    async with listening(limits=Limits(idle=SOON)) as address, client(address) as one:
        assert (await one.ask("GET /healthz"))[0] == 200
        assert await one.rest() == b""


async def test_a_held_request_is_not_slow() -> None:
    release = asyncio.Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await answer(send, 200, b"at last")

    short = Limits(head=SOON, idle=SOON, stall=SOON)
    async with listening(Mounts(api=held), limits=short) as address, client(address) as one:
        await one.send(POST)
        asyncio.get_running_loop().call_later(3 * SOON, release.set)
        assert (await one.answer())[2] == b"at last"


async def test_a_client_that_does_not_listen_is_let_go() -> None:
    ended = asyncio.Event()

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            ended.set()

    async with listening(Mounts(bundles=large), limits=Limits(stall=SOON)) as address:
        one = await deaf(address, b"GET /bucket/key HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(20):
            await ended.wait()
        one.close()


async def test_a_client_that_asks_and_asks_but_never_listens_is_let_go() -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, b"x" * 60_000)

    async with listening(Mounts(bundles=large), limits=Limits(stall=SOON)) as address:
        one = await deaf(address, b"GET /bucket/key HTTP/1.1\r\nhost: x\r\n\r\n" * 200)
        async with asyncio.timeout(20):
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                while True:
                    await asyncio.get_running_loop().sock_sendall(one, b"GET /bucket/key HTTP/1.1\r\nhost: x\r\n\r\n")
                    await asyncio.sleep(0.01)
        one.close()


@pytest.mark.parametrize("pieces", [1, 50])
async def test_a_head_that_is_too_large_is_refused(pieces: int) -> None:
    padding = b"".join(b"x-padding-%d: %b\r\n" % (each, b"y" * 900) for each in range(50))
    head = b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + padding
    async with listening(limits=Limits(head_bytes=16_384)) as address, client(address) as one:
        size = len(head) // pieces
        for start in range(0, len(head), size):
            await one.send(head[start : start + size])
            await asyncio.sleep(0)
        await one.send(b"\r\n")
        assert (await one.rest()).startswith(b"HTTP/1.1 431 Request Header Fields Too Large")


async def test_what_is_no_http_is_refused() -> None:
    async with listening() as address, client(address) as one:
        await one.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert (await one.rest()).startswith(b"HTTP/1.1 400 Bad Request")


async def test_newcomers_beyond_the_limit_are_told_503_and_those_who_are_there_stay() -> None:
    async with listening(max_connections=2) as address:
        async with client(address) as one, client(address) as two:
            assert [(await each.ask("GET /healthz"))[0] for each in (one, two)] == [200, 200]
            async with client(address) as three:
                status, headers, body = await three.ask("GET /healthz")
                assert (status, headers["connection"]) == (503, "close")
                assert "no more room" in json.loads(body)["message"]
                assert await three.rest() == b""
            assert [(await each.ask("GET /healthz"))[0] for each in (one, two)] == [200, 200]
        async with client(address) as four:
            assert (await four.ask("GET /healthz"))[0] == 200


async def test_an_answer_before_the_body_has_come_reaches_a_client_that_is_still_sending() -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 413, b"too large", CLOSE)

    async with listening(Mounts(api=refuses)) as address, client(address) as one:
        body = b"x" * 5_000_000
        sending = asyncio.create_task(one.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n" + body))
        assert (await one.answer())[::2] == (413, b"too large")
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_client_that_goes_on_sending_after_its_answer_is_let_go() -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 413, b"too large", CLOSE)

    async with listening(Mounts(api=refuses)) as address, client(address) as one:
        await one.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
        assert (await one.answer())[0] == 413
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionError):
                while True:
                    await one.send(b"x" * 1000)
                    await asyncio.sleep(0.01)


async def test_a_handshake_that_never_comes_is_let_go(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    async with listening(tls=files, limits=Limits(handshake=SOON)) as address, client(address) as one:
        await one.send(b"\x16\x03\x01")
        assert await one.rest() == b""


async def dribble(send: object) -> None:
    for number in range(10_000):
        await send(b"x-%d: y\r\n" % number)  # type: ignore[operator]
        await asyncio.sleep(0.01)


async def test_a_body_that_comes_late_is_its_applications_affair() -> None:
    async with listening(Mounts(api=says_hello), limits=Limits(head=SOON)) as address, client(address) as one:
        await one.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
        assert (await one.answer())[2] == b"hello"
