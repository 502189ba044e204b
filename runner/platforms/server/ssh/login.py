"""Opening a link to a host: through its hops, each one's key verified, each one logged in to."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from runner.errors import WorldError
from runner.model.target import Host, Ssh
from runner.platforms.server.connection import Broken
from runner.platforms.server.ssh import known_hosts, trouble
from runner.platforms.server.ssh.authentication import log_in
from runner.platforms.server.ssh.endpoint import Endpoint, has_file, route
from runner.platforms.server.ssh.known_hosts import Verdict
from runner.platforms.server.ssh.link import Link
from runner.platforms.server.ssh.stream import Stream
from runner.threads import in_thread


class Login:
    """All that one connection to a host consists of. `close` ends it, hops included."""

    def __init__(self, host: Host) -> None:
        self.host, self.ssh = host, host.ssh or Ssh()
        self.link: Link
        self._closing: list[Callable[[], None]] = []
        self._pumps: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Connect and log in. Raises `WorldError`; what had been opened is closed then."""
        limit = self.ssh.connect_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                for endpoint in await route_to(self.host):
                    link = await self.reach(endpoint)
                    await verified(link, endpoint, self.host)
                    await log_in(link, endpoint, limit)
        except TimeoutError as error:
            await self.close()
            raise WorldError(f"it did not let us in within {limit:g} s (connect_timeout)") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        closing, self._closing = self._closing, []
        for close in reversed(closing):
            close()
        pumps, self._pumps = self._pumps, []
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def reach(self, endpoint: Endpoint) -> Link:
        """A link to *endpoint*, from here or through the machine that we are logged in to; nothing is said on it yet."""
        sock = await (self._tunnel(endpoint) if self._closing else _connect(endpoint))
        self.link = Link(sock, str(endpoint))
        self._closing.append(self.link.close)
        return self.link

    async def _tunnel(self, endpoint: Endpoint) -> socket.socket:
        """A socket whose other end is carried to *endpoint* by the machine that we are logged in to."""
        try:
            channel = await self.link.call(self.link.session.direct_tcpip, endpoint.address, endpoint.port)
        except Broken as error:
            raise WorldError(f"{self.link.name} could not connect to {endpoint}: {error.message}") from error
        stream = Stream(self.link, channel, self.ssh.keepalive.total_seconds())
        self._closing[-1] = stream.hang_up
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._pumps.append(asyncio.create_task(_carry(theirs, stream)))
        return ours


async def verified(link: Link, endpoint: Endpoint, host: Host) -> None:
    """Shake hands, and make sure that it is the right machine. Raises `Refused`, or `Broken`."""
    offer = await offered(link, endpoint, host)
    if not offer.is_known:
        raise trouble.unknown_key(offer.name, host.name, offer.key, offer.file)


class Offer(NamedTuple):
    """The key that the machine *name* showed, and the known_hosts *file* of the user."""

    name: str
    key: bytes
    is_known: bool
    file: str


async def offered(link: Link, endpoint: Endpoint, host: Host) -> Offer:
    """Shake hands. Raises `Refused` for a key that known_hosts speaks against, or `Broken`."""
    paths = known_hosts.files((host.ssh or Ssh()).known_hosts)
    name = known_hosts.lookup_name(endpoint.known_as, endpoint.port)
    found = known_hosts.entries_for(name, paths)
    key = await link.handshake(known_hosts.algorithms(found))
    verdict, said = known_hosts.judge(key, found)
    if verdict is Verdict.CHANGED:
        raise trouble.changed_key(name, host.name, key, said)
    if verdict is Verdict.REVOKED:
        raise trouble.revoked_key(name, key, said)
    return Offer(name, key, verdict is Verdict.KNOWN, paths[0])


async def route_to(host: Host) -> list[Endpoint]:
    """`route`, in a thread when it may block."""
    return await in_thread(lambda: route(host)) if has_file() else route(host)


async def _connect(endpoint: Endpoint) -> socket.socket:
    loop = asyncio.get_running_loop()
    problem: OSError | None = None
    for family, kind, protocol, _, address in await _resolve(endpoint):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    why = os.strerror(problem.errno) if problem and problem.errno else "it has no address"  # asyncio has its own text
    raise WorldError(f"{endpoint} cannot be reached: {why}") from problem


async def _resolve(endpoint: Endpoint) -> Sequence[tuple[int, int, int, str, tuple[object, ...]]]:
    where = endpoint.address, endpoint.port
    try:
        with contextlib.suppress(socket.gaierror):  # no name: nothing to wait for
            return socket.getaddrinfo(*where, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return await asyncio.get_running_loop().getaddrinfo(*where, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one that is too long
        raise WorldError(
            f"{endpoint.address} cannot be the name of a machine; correct `address` in the runner's configuration",
            retryable=False,
        ) from error
    except socket.gaierror as error:
        known = error.errno not in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        hint = "" if known else "; correct `address` in the runner's configuration"
        raise WorldError(
            f"the name {endpoint.address} cannot be resolved: {error.strerror}{hint}", retryable=known
        ) from error


async def _carry(sock: socket.socket, stream: Stream) -> None:
    """Carry bytes both ways between *sock* and *stream* until either ends; closes *sock*."""
    both = [asyncio.create_task(_outwards(sock, stream)), asyncio.create_task(_inwards(sock, stream))]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        sock.close()


async def _outwards(sock: socket.socket, stream: Stream) -> None:
    """Carry what comes out of *sock* to *stream*."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, Broken):
        while piece := await loop.sock_recv(sock, 1 << 16):
            await stream.send(piece)


async def _inwards(sock: socket.socket, stream: Stream) -> None:
    """Carry what comes from *stream* into *sock*."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, Broken):
        while piece := await stream.receive_some():
            await loop.sock_sendall(sock, piece)
