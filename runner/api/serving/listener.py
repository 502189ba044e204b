"""The listener: one address in the loop that everything else runs in, with TLS unless nobody else can reach it."""

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from runner.api.serving.address import bound
from runner.api.serving.connection import Limits
from runner.api.serving.pauses import keep_short
from runner.api.serving.server import Server
from runner.api.serving.tls import keep_fresh, tls_context
from runner.api.site import Site
from runner.config import Listening

_OTHER_FILES = 200  # of the limit of open files: the database, hosts, repositories


async def listener(
    listening: Listening,
    site: Site,
    started: Callable[[str], None],
    stopping: Callable[[], None] = lambda: None,
    limits: Limits = Limits(),  # noqa: B008 - a tuple
) -> None:
    """Serve *site* until cancelled. *started* is told the address once connections are accepted.

    *stopping* is called when it ends: requests that wait should be answered then; `server.GRACE` is all they have.
    Raises `UserError`: the address is open to others without TLS, the certificate's files are wrong; `WorldError`: the
    address cannot be bound.
    """
    with await bound(listening) as on:
        async with _tls(listening, limits.look) as context:
            most = min(listening.max_connections, _room_for_connections())
            server = Server(site, limits._replace(connections=most), context)
            started("{}:{}".format(*on.getsockname()[:2]))
            async with _beside(keep_short()):
                await _served(server, on, stopping)


async def _served(server: Server, on: socket.socket, stopping: Callable[[], None]) -> None:
    """Run *server*; when cancelled, end it in good order first."""
    serving = asyncio.create_task(server.serve(sockets=[on]))
    try:
        await asyncio.shield(serving)
    finally:
        server.let_nobody_in()
        stopping()
        await serving


@asynccontextmanager
async def _tls(listening: Listening, every: float) -> AsyncIterator[ssl.SSLContext | None]:
    if listening.tls is None:
        yield None
        return
    context = tls_context(listening.tls)
    async with _beside(keep_fresh(context, listening.tls, every)):
        yield context


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have *work* done meanwhile."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _room_for_connections() -> int:
    """As many as the limit of open files lets be; raise it for many agents (systemd: `LimitNOFILE=`)."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if files == resource.RLIM_INFINITY else max(16, files - _OTHER_FILES)
