"""The floor, as a program of its own: libssh2 on asyncio, one connection and one command per host, and nothing else.

Standard input, as JSON: *user*, *identity* (a key file), *bundle* (a file that every command reads), *batches* (lists of
[port, command]). Nothing is recorded or taken up again, and no host key is checked. Threads that block take as long.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ssh2.channel import Channel
from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN as AGAIN
from ssh2.session import (
    LIBSSH2_METHOD_CRYPT_CS,
    LIBSSH2_METHOD_CRYPT_SC,
    LIBSSH2_METHOD_KEX,
    LIBSSH2_SESSION_BLOCK_OUTBOUND,
    Session,
)


class Connection:
    """To one sshd. Every call into libssh2 is repeated until it no longer asks for the socket first."""

    def __init__(self, port: int) -> None:
        self._socket, self._port, self._session = socket.socket(), port, Session()
        self._socket.setblocking(False)
        self._session.set_blocking(False)
        self._session.method_pref(LIBSSH2_METHOD_KEX, "curve25519-sha256")
        for way in (LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC):
            self._session.method_pref(way, "aes128-gcm@openssh.com")

    async def carry_out(self, command: str, bundle: bytes, user: str, identity: str) -> None:
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._call(self._session.handshake, self._socket)
        await self._call(self._session.userauth_publickey_fromfile, user, identity)
        channel: Channel = await self._call(self._session.open_session)
        await self._call(channel.execute, command)
        await self._send(channel, bundle)
        while (await self._call(channel.read, 65536))[0]:
            pass
        await self._call(channel.close)
        await self._call(channel.wait_closed)  # then the exit status is known
        assert channel.get_exit_status() == 0, f"the command on port {self._port} failed"
        self._socket.close()

    async def _send(self, channel: Channel, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            code, sent = channel.write(bytes(rest[:65536]))  # some may be sent although it asks for the socket
            rest = rest[sent:]
            if code == AGAIN:
                await self._socket_ready()
        await self._call(channel.send_eof)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            answer = function(*arguments)
            if (answer[0] if isinstance(answer, tuple) else answer) != AGAIN:
                return answer
            await self._socket_ready()

    async def _socket_ready(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        outbound = self._session.block_directions() & LIBSSH2_SESSION_BLOCK_OUTBOUND
        watch, forget = (loop.add_writer, loop.remove_writer) if outbound else (loop.add_reader, loop.remove_reader)
        watch(self._socket, ready.set_result, None)
        try:
            await ready
        finally:
            forget(self._socket)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # the kernel forgets it after a while


async def carry_out(order: dict[str, Any], bundle: bytes) -> None:
    for batch in order["batches"]:
        work = (
            Connection(port).carry_out(command, bundle, order["user"], order["identity"]) for port, command in batch
        )
        await asyncio.gather(*work)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    asyncio.run(carry_out(given, Path(given["bundle"]).read_bytes()))
