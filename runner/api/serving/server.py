"""uvicorn's server, with our connections, and told to end by whoever runs it."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from runner.api.serving.address import BACKLOG
from runner.api.serving.connection import Connection, Limits
from runner.api.site import Site
from runner.log import get_logger

GRACE = 3  # seconds in which answers may leave when the listener ends

log = get_logger()


class Server(uvicorn.Server):
    """Serves *site*; *context*: TLS, or None."""

    def __init__(self, site: Site, limits: Limits, context: ssl.SSLContext | None) -> None:
        super().__init__(_config(site))
        self._limits, self._context, self._find = limits, context, site.direct
        _quieten()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the runner's: it lets events in flight end first

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        handshake = self._limits.handshake if self._context else None
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.config, self.server_state, self._limits, self._find),
            sock=sockets[0],
            ssl=self._context,
            backlog=BACKLOG,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=handshake,
        )
        self.servers, self.started = [server], True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):  # what waits past ASGI has no task that was cancelled
            connection.transport.abort()

    def let_nobody_in(self) -> None:
        """Begin to end: no new connections, idle ones closed, each other one after the answer that it waits for."""
        self.should_exit = True
        if self.started:
            self.servers[0].close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


def _config(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        site,
        http=Connection,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # an address that is counted as guessing keys must not be the client's own word
        timeout_graceful_shutdown=GRACE,
    )


class _ToLog(logging.Handler):
    """What uvicorn has to say, in our log."""

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        log.warning("listener", said=record.getMessage().strip(), **({"exception": trace} if trace else {}))


def _quieten() -> None:
    uvicorns = logging.getLogger("uvicorn.error")
    uvicorns.propagate = False
    uvicorns.setLevel(logging.WARNING)
    uvicorns.handlers = [_ToLog()]
