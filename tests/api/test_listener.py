"""The listener, over a real socket."""

import asyncio
import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from runner.api.listener import listener, parse_address
from runner.errors import UserError, WorldError


async def ask(health: Callable[[], dict[str, Any]], path: str = "/healthz") -> tuple[int, Any]:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(listener("127.0.0.1:0", health, address.set_result))

    def get() -> tuple[int, Any]:
        host, port = parse_address(address.result())
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if answer.status != 404 else body
        finally:
            connection.close()

    try:
        await asyncio.wait_for(asyncio.shield(address), 10)
        return await asyncio.to_thread(get)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_health_is_told() -> None:
    assert await ask(lambda: {"status": "ok"}) == (200, {"status": "ok"})


async def test_a_database_that_cannot_be_read_is_503() -> None:
    def failing() -> dict[str, Any]:
        raise WorldError("the disk is full")

    assert await ask(failing) == (503, {"status": "failing", "message": "the disk is full"})


async def test_nothing_else_is_served() -> None:
    assert (await ask(dict, "/"))[0] == 404


async def test_an_address_in_use_is_the_worlds_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WorldError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
            await listener(f"127.0.0.1:{port}", dict, lambda address: None)


@pytest.mark.parametrize("wrong", ["8300", "127.0.0.1", "127.0.0.1:x", ":8300", "127.0.0.1:70000"])
def test_an_address_needs_host_and_port(wrong: str) -> None:
    with pytest.raises(UserError, match="HOST:PORT"):
        parse_address(wrong)


def test_ipv6_hosts_stand_in_brackets() -> None:
    assert parse_address("[::1]:8300") == ("::1", 8300)
