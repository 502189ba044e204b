"""Requests that are there whole go past ASGI, and nobody can tell by anything but the time that it takes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from listening import Client, client, deaf, listening
from waiting import until

from runner.api.asgi import Receive, Scope, Send, answer
from runner.api.direct import Answer, Reply, Request
from runner.api.serving.connection import Limits
from runner.api.site import Mounts
from runner.api.webhooks.endpoint import Webhooks

SOON = 0.2  # seconds
POST = b"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\n"


class Both:
    """Tells each request how it came, and what came. *holds*: those that came whole are answered by `release`."""

    def __init__(self) -> None:
        self.holds = False
        self.held: list[Callable[[], None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await answer(send, 202, _told("asgi", scope["path"], dict(scope["headers"]), body))

    def take(self, request: Request, reply: Reply) -> None:
        told = Answer(202, _told("whole", request.path, request.headers, request.body), ((b"x-more", b"1"),))
        assert request.client == "127.0.0.1"
        if self.holds:
            self.held.append(lambda: reply(told))
        else:
            reply(told)

    def release(self) -> None:
        held, self.held = self.held, []
        for each in held:
            each()


def _told(way: str, path: str, headers: Any, body: bytes) -> dict[str, str]:
    return {"way": way, "path": path, "x-id": headers.get(b"x-id", b"").decode(), "body": body.decode()}


@asynccontextmanager
async def served(both: Both | None = None, **how: Any) -> AsyncIterator[tuple[str, int]]:
    async with listening(Mounts(webhooks=cast("Webhooks", both or Both())), **how) as address:
        yield address


async def told(one: Client) -> dict[str, str]:
    status, _, body = await one.answer()
    assert status == 202
    return cast("dict[str, str]", json.loads(body))


def request(body: bytes = b"{}", *lines: bytes, start: bytes = POST) -> bytes:
    return start + b"".join(line + b"\r\n" for line in (b"content-length: %d" % len(body), *lines)) + b"\r\n" + body


async def test_a_request_that_is_there_whole_goes_past_asgi() -> None:
    async with served() as address, client(address) as one:
        for number in ("1", "2"):
            await one.send(request(b"[%b]" % number.encode(), b"X-Id: " + number.encode()))
            status, headers, body = await one.answer()
            assert (status, headers["content-type"], headers["x-more"]) == (202, "application/json", "1")
            assert "connection" not in headers
            asked = {"way": "whole", "path": "/webhooks/shop", "x-id": number, "body": f"[{number}]"}
            assert json.loads(body) == asked


async def test_without_a_body_it_is_whole_as_well_and_in_chunks_too() -> None:
    async with served() as address, client(address) as one:
        await one.send(POST + b"\r\n")
        assert (await told(one))["way"] == "whole"
        await one.send(POST + b"transfer-encoding: chunked\r\n\r\n2\r\n{ \r\n1\r\n}\r\n0\r\n\r\n")
        assert (await told(one))["body"] == "{ }"


@pytest.mark.parametrize(("left", "way"), [(20, "whole"), (2, "asgi"), (1, "asgi")])
async def test_when_the_body_comes_later_than_the_head_it_goes_the_general_way_complete(left: int, way: str) -> None:
    whole = request(b"{}", b"X-Id: 7")
    async with served() as address, client(address) as one:
        await one.send(whole[:-left])
        for _ in range(5):
            await asyncio.sleep(0)  # what was sent is read
        await one.send(whole[-left:])
        assert await told(one) == {"way": way, "path": "/webhooks/shop", "x-id": "7", "body": "{}"}


async def test_a_large_body_goes_the_general_way() -> None:
    body = b"x" * 200_000
    async with served() as address, client(address) as one:
        await one.send(request(body))
        assert await told(one) == {"way": "asgi", "path": "/webhooks/shop", "x-id": "", "body": body.decode()}


@pytest.mark.parametrize(
    "asked",
    [
        request(start=POST.replace(b"1.1", b"1.0")),
        request(b"{}", b"connection: close"),
        request(b"{}", b"connection: upgrade", b"upgrade: h2c"),
        request(start=POST.replace(b"shop", b"sh%6fp")),
        request(start=POST.replace(b"shop", b"shop?a=1")),
        request(start=POST.replace(b"shop", b"shop/more")),
    ],
)
async def test_whatever_is_not_plain_goes_the_general_way(asked: bytes) -> None:
    async with served() as address, client(address) as one:
        await one.send(asked)
        assert (await told(one))["way"] == "asgi"


async def test_whoever_asks_before_the_body_is_sent_is_told_to_go_on() -> None:
    async with served() as address, client(address) as one:
        await one.send(POST + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert (await one.answer())[0] == 100
        await one.send(b"{}")
        assert (await told(one))["way"] == "asgi"


async def test_requests_in_one_piece_are_answered_in_their_order() -> None:
    both = Both()
    both.holds = True
    async with served(both) as address, client(address) as one:
        await one.send(b"".join(request(b"{}", b"x-id: %d" % number) for number in range(4)))
        await until(lambda: len(both.held) == 1)
        both.release()
        assert [(each["x-id"], each["way"]) for each in [await told(one) for _ in range(4)]] == [
            ("0", "whole"),  # whatever waits behind it goes the general way
            ("1", "asgi"),
            ("2", "asgi"),
            ("3", "asgi"),
        ]
        both.holds = False
        await one.send(b"".join(request(b"{}", b"x-id: %d" % number) for number in range(4)))
        assert [(each["x-id"], each["way"]) for each in [await told(one) for _ in range(4)]] == [
            (str(number), "whole") for number in range(4)
        ]


async def test_a_request_that_waits_is_not_idle_whatever_was_answered_before_it_in_the_same_piece() -> None:
    both = Both()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3 * SOON)
        await answer(send, 200, b"at last")

    mounts = Mounts(api=held, webhooks=cast("Webhooks", both))
    async with listening(mounts, limits=Limits(idle=SOON)) as address, client(address) as one:
        await one.send(request() + b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        assert (await told(one))["way"] == "whole"
        assert (await one.answer())[2] == b"at last"


async def test_a_sender_that_hangs_up_is_not_answered_and_nothing_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    both = Both()
    both.holds = True
    async with served(both) as address:
        async with client(address) as one:
            await one.send(request())
            await until(lambda: len(both.held) == 1)
            one.hang_up()
        async with client(address) as two:  # by now the listener knows of the other's end
            assert (await two.ask("GET /healthz"))[0] == 200
        both.release()
    assert "".join(capsys.readouterr()) == ""


async def test_when_the_listener_ends_what_waits_is_answered_and_the_connection_ends() -> None:
    both = Both()
    both.holds = True
    async with served(both, stopping=lambda: asyncio.get_running_loop().call_later(SOON, both.release)) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request())
        await until(lambda: len(both.held) == 1)
    said = await reader.read()
    writer.close()
    assert said.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert b"\r\nconnection: close\r\n" in said


async def test_when_the_listener_ends_what_nobody_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.api.serving.server.GRACE", SOON)
    both = Both()
    both.holds = True
    async with served(both) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request())
        await until(lambda: len(both.held) == 1)
    assert await reader.read() == b""
    writer.close()
    both.release()


async def test_heads_and_connections_have_their_limits_here_too() -> None:
    async with served(limits=Limits(head_bytes=1000), max_connections=1) as address, client(address) as one:
        await one.send(request(b"{}", b"x-id: " + b"7" * 500))
        assert (await told(one))["way"] == "whole"
        async with client(address) as two:
            await two.send(request())
            assert (await two.answer())[0] == 503
        await one.send(request(b"{}", b"x-id: " + b"7" * 1000))
        assert (await one.answer())[0] == 431


async def test_a_sender_that_never_listens_is_let_go() -> None:
    async with served(limits=Limits(stall=SOON)) as address:
        one = await deaf(address, request(b"x" * 10_000) * 5)
        async with asyncio.timeout(20):
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                while True:
                    await asyncio.get_running_loop().sock_sendall(one, request(b"x" * 10_000))
        one.close()


async def test_a_body_that_is_no_http_is_refused() -> None:
    async with served() as address, client(address) as one:
        await one.send(POST + b"transfer-encoding: chunked\r\n\r\nnonsense\r\n{}")
        assert (await one.rest()).startswith(b"HTTP/1.1 400 Bad Request")
