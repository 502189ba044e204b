"""One server and its connections: few, kept, and opened only when all are busy.

What the server asks of one repository's polls (a pause), it asks of all.
"""

import asyncio
import datetime as dt
import math
import socket
import ssl
from functools import lru_cache, partial
from typing import NamedTuple

from runner.errors import Throttled
from runner.plan.throttling import pause
from runner.ports import Clock
from runner.sources.git import remote
from runner.sources.git.http.connection import Closed, Connection, Response
from runner.threads import in_thread

MOST = 32  # connections: at 0.2 s an answer, 160 repositories a second
_LONGEST_IDLE = 120.0  # seconds; a router on the way may have forgotten an older connection without a word


class Address(NamedTuple):
    """Where a server listens. *ca_file*: certificates to trust beside the system's."""

    scheme: str
    host: str
    port: int
    ca_file: str | None

    def __str__(self) -> str:
        return self.host


class Host:
    """The server at *address*. For one event loop."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self.address = address
        self._clock = clock
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._slots = asyncio.Semaphore(MOST)
        self._not_before: dt.datetime | None = None

    async def ask(self, request: bytes) -> Response:
        """Send *request*, which may be repeated without harm, and return the answer.

        Raises `Throttled`, `Closed`, `BrokenAnswer`, `OSError` (`TimeoutError` and `ssl.SSLError` are such).
        """
        async with self._slots:
            self._check_pause()
            response = await self._exchange(request)
        now = self._clock()
        if wait := pause(response.status, response.headers, now):
            self._not_before = now + wait
            self._check_pause()
        return response

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()
        self._open.clear()
        self._idle.clear()

    def _check_pause(self) -> None:
        if self._not_before is None:
            return
        wait = self._not_before - self._clock()
        if wait <= dt.timedelta(0):
            self._not_before = None
            return
        raise Throttled(f"{self.address} asks us to wait for {math.ceil(wait.total_seconds())} s", wait)

    async def _exchange(self, request: bytes) -> Response:
        while (kept := self._kept()) is not None:
            try:
                return await self._exchange_on(kept, request)
            except Closed as error:
                if not error.silent:
                    raise
                # it was closed while it was idle: another one, then
        async with asyncio.timeout(remote.CONNECT_WITHIN):
            fresh = await self._connected()
        self._open.add(fresh)
        return await self._exchange_on(fresh, request)

    async def _exchange_on(self, connection: Connection, request: bytes) -> Response:
        try:
            return await connection.exchange(request, remote.ANSWER_WITHIN)
        finally:
            if connection.is_open:
                self._idle.append(connection)
            else:
                self._open.discard(connection)

    def _kept(self) -> Connection | None:
        """The one that was used last: the others may then end for want of use."""
        oldest = asyncio.get_running_loop().time() - _LONGEST_IDLE
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since >= oldest:
                return connection
            connection.close()
            self._open.discard(connection)
        return None

    async def _connected(self) -> Connection:
        """To the first of its addresses that takes us. Names are looked up in a thread that nobody else waits for."""
        host, port = self.address.host, self.address.port
        # a hundred certificates may be read: not in everybody's way
        tls = await in_thread(partial(_context, self.address.ca_file)) if self.address.scheme == "https" else None
        found = await in_thread(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
        places = list(dict.fromkeys(str(address[0]) for *_, address in found))
        loop, trouble = asyncio.get_running_loop(), OSError("it has no address")
        for place in places:
            try:
                async with asyncio.timeout(remote.CONNECT_WITHIN / len(places)):
                    _, connection = await loop.create_connection(
                        Connection, place, port, ssl=tls, server_hostname=host if tls else None
                    )
                    return connection
            except ssl.SSLError:
                raise
            except OSError as error:
                trouble = error
        raise trouble


@lru_cache(maxsize=64)
def _context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise remote.unreadable_certificates(ca_file, error) from error
    return context
