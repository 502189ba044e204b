"""The listener: `GET /healthz`, served by uvicorn in the loop that everything else runs in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from runner.errors import UserError, WorldError

Health = Callable[[], dict[str, Any]]
"""How the runner is: `{"status": "ok", ...}`; blocks on the database, raises `WorldError` when it cannot be read."""


def parse_address(listen: str) -> tuple[str, int]:
    """`HOST:PORT` into its parts; an IPv6 host stands in brackets. Raises `UserError`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UserError(f"--listen wants HOST:PORT, as in 127.0.0.1:8300, not {listen!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def application(health: Health) -> Any:
    """The ASGI application."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def healthz(_request: Request) -> Response:
        try:
            return JSONResponse(await run_in_threadpool(health))
        except WorldError as error:
            return JSONResponse({"status": "failing", "message": error.message}, status_code=503)

    return Starlette(routes=[Route("/healthz", healthz)])


async def listener(listen: str, health: Health, started: Callable[[str], None]) -> None:
    """Serve until cancelled. *started* is told the address once connections are accepted.

    Raises `WorldError` when the address cannot be bound.
    """
    import socket

    import uvicorn

    host, port = parse_address(listen)
    try:
        bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise WorldError(f"cannot listen on {listen}: {error.strerror}", retryable=False) from error

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals are the runner's: it lets events in flight end first

    server = Server(uvicorn.Config(application(health), log_config=None, lifespan="off", access_log=False))
    started("{}:{}".format(*bound.getsockname()[:2]))
    with bound:
        await server.serve(sockets=[bound])
