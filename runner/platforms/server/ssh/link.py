"""One SSH connection on asyncio: libssh2 never blocks here, and waits through the event loop.

Knows nothing of whose keys are right and who may log in.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN
from ssh2.exceptions import SSH2Error
from ssh2.session import (
    LIBSSH2_METHOD_CRYPT_CS,
    LIBSSH2_METHOD_CRYPT_SC,
    LIBSSH2_METHOD_HOSTKEY,
    LIBSSH2_METHOD_KEX,
    LIBSSH2_SESSION_BLOCK_OUTBOUND,
    Session,
)

from runner.platforms.server.connection import Broken
from runner.threads import in_thread

T = TypeVar("T")

_KEX = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
_KEX += ",diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group14-sha256"
_CIPHERS = (
    "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr"
)
_PIECE = 64 << 10
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux; without it each direction change may cost 40 ms


class Link:
    """libssh2's *session* over the socket *sock*, which it owns. *name*: of the machine, for messages."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        sock.setblocking(False)
        self.sock, self.name = sock, name
        self.session: Any = Session()
        self.session.set_blocking(False)
        self.loop = asyncio.get_running_loop()
        self.is_lent = False  # to a thread, which then closes what is left to close
        self.heard = self.loop.time()  # when anything last came from the other side
        self._is_tcp = sock.family != socket.AF_UNIX
        if self._is_tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def handshake(self, host_key_algorithms: str) -> bytes:
        """Agree on keys; returns the server's host key as it goes over the wire. Raises `Broken`."""
        prefer = self.session.method_pref
        prefer(LIBSSH2_METHOD_KEX, _KEX)
        prefer(LIBSSH2_METHOD_HOSTKEY, host_key_algorithms)
        prefer(LIBSSH2_METHOD_CRYPT_CS, _CIPHERS)
        prefer(LIBSSH2_METHOD_CRYPT_SC, _CIPHERS)
        await self.call(self.session.handshake, self.sock)
        key: bytes = self.session.hostkey()[0]
        return key

    async def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """What *function* of libssh2 returns once it no longer wants to wait. Raises `Broken` for its errors."""
        while True:
            try:
                result = function(*arguments)
            except SSH2Error as error:
                raise Broken(f"the SSH connection to {self.name} broke: {self.describe(error)}") from error
            if result != LIBSSH2_ERROR_EAGAIN:
                return result
            await self._ready()

    def describe(self, error: Exception) -> str:
        """What libssh2 says about *error*, in words."""
        said = self.session.last_error()
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")
        return text or type(error).__name__.removesuffix("Error")

    def wants_to_write(self) -> bool:
        """Whether a packet is half sent: then nothing else may be begun before it is done."""
        return bool(self.session.block_directions() & LIBSSH2_SESSION_BLOCK_OUTBOUND)

    def note_arrival(self) -> None:
        """Something came: acknowledge at once, as the kernel falls back to delaying by itself."""
        self.heard = self.loop.time()
        if self._is_tcp and _QUICKACK is not None:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self, channel: Any = None) -> None:
        """Say goodbye if that can be done without waiting, and close. *channel*: one that is still open."""
        session, self.session = self.session, None
        if session is None:
            return
        if self.is_lent:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            return
        self.loop.remove_reader(self.sock)
        self.loop.remove_writer(self.sock)
        with contextlib.suppress(SSH2Error):
            session.disconnect()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        # libssh2 must see the end before the descriptor's number can belong to somebody else: what still refers to the
        # session would write into that when it is collected
        with contextlib.suppress(SSH2Error):
            while channel is not None and channel.read(_PIECE)[0] > 0:
                pass
        self.sock.close()

    async def lend(self, use: Callable[[Any], T]) -> T:
        """What *use* makes of the session in a thread, where libssh2 may block. `close` meanwhile lets it go on."""
        session = self.session

        def used() -> T:
            try:
                session.set_blocking(True)
                return use(session)
            finally:
                session.set_blocking(False)
                self.is_lent = False
                if self.session is None:
                    self.sock.close()

        self.is_lent = True
        return await in_thread(used)

    async def _ready(self) -> None:
        """Wait until the socket can do what libssh2 waits for."""
        ready: asyncio.Future[None] = self.loop.create_future()

        def happened() -> None:
            if not ready.done():
                ready.set_result(None)

        fd, writes = self.sock.fileno(), self.wants_to_write()
        self.loop.add_reader(fd, happened)
        if writes:
            self.loop.add_writer(fd, happened)
        try:
            await ready
        finally:
            self.loop.remove_reader(fd)
            if writes:
                self.loop.remove_writer(fd)
        self.note_arrival()
