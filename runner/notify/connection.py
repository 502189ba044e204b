"""Connections to webhooks: end within a deadline however slowly the other side talks, and never reach link-local addresses.

A manifest's author may choose where a webhook goes but must not read the machine's cloud credentials by it: the addresses
of metadata services are refused, by whatever name or notation they come. Both the resolved addresses and the one in fact
connected to are looked at, so that a name server which changes its mind gains nothing.
"""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from runner.errors import UserError, WorldError

_TO_CONNECT = 4.0  # seconds, the TLS handshake included
_TO_ANSWER = 5.0  # seconds from the request's first byte to the answer's status and headers

_REFUSED = tuple(
    ipaddress.ip_network(each)
    for each in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",  # metadata, DNS and time in AWS, over IPv6
        "64:ff9b::a9fe:0/112",  # 169.254.0.0/16, seen through NAT64
    )
)


def is_link_local(address: str) -> bool:
    """Whether *address* (text of an IP address) belongs to services of the machine's own network segment."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return any((mapped or ip) in network for network in _REFUSED)


class _Guarded:
    """What both kinds of connection have in common; stands before urllib3's class."""

    host: str
    port: int
    sock: Any
    allow_link_local = False

    def connect(self) -> None:
        if not self.allow_link_local:
            for *_, place in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
                _refuse(self.host, str(place[0]))
        with self._deadline(_TO_CONNECT):
            super().connect()  # type: ignore[misc]
        if not self.allow_link_local:
            _refuse(self.host, str(self.sock.getpeername()[0]))

    def request(self, *args: Any, **kwargs: Any) -> None:
        with self._deadline(_TO_ANSWER):
            super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        with self._deadline(_TO_ANSWER):
            return super().getresponse()  # type: ignore[misc]

    @contextlib.contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """urllib3's timeouts bound each read; one byte a second would keep us for ever. This bounds them all together."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


def _refuse(host: str, address: str) -> None:
    if is_link_local(address):
        where = address if host == address else f"{host}, which is {address},"
        raise UserError(f"webhooks may not go to {where} a link-local address; metadata services answer there")


class _HTTP(_Guarded, HTTPConnection):
    pass


class _HTTPS(_Guarded, HTTPSConnection):
    pass
