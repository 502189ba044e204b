"""Where the listener listens: an address that is bound, if it may be."""

import asyncio
import ipaddress
import socket

from runner.config import Listening
from runner.errors import UserError, WorldError

BACKLOG = 4096  # agents come back all at once after a restart


def parse_address(listen: str) -> tuple[str, int]:
    """`HOST:PORT` into its parts; an IPv6 host stands in brackets. Raises `UserError`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UserError(f"--listen wants HOST:PORT, as in 127.0.0.1:8300, not {listen!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def bound(listening: Listening) -> socket.socket:
    """A socket on the address, and nobody listens yet."""
    host, port = parse_address(listening.address)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, where = found[0]
        if not listening.tls and not listening.without_tls and not ipaddress.ip_address(where[0]).is_loopback:
            raise UserError(
                f"{listening.address} is open to other machines, and without TLS what they send can be read on the way. "
                "Give [tls] certificate and private_key in penstock.toml, or --tls-certificate and --tls-private-key; "
                "behind a proxy that does TLS, listen_without_tls = true or --without-tls"
            )
        # With its protocol named, asyncio sets TCP_NODELAY on every connection.
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise WorldError(f"cannot listen on {listening.address}: {error.strerror}", retryable=False) from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(where)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise WorldError(f"cannot listen on {listening.address}: {error.strerror}", retryable=False) from error
    return made
