"""Connections for one request: over within a deadline however slowly the other side talks, never to link-local addresses.

urllib3's own timeouts bound each single step: a host with many addresses, or one that sends a byte a second, would keep
whoever waits for it for ever. Names are resolved once, and what was checked is what is connected to.
"""

import contextlib
import socket
import ssl
import threading
import time
from http.client import HTTPException
from typing import Any, NamedTuple

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url

from runner.errors import UserError
from runner.outgoing.addresses import is_link_local


class Limits(NamedTuple):
    """In seconds. *connect*: for all addresses of the host together. *total*: from the first attempt to connect until the
    answer has been read."""

    connect: float
    total: float


def pool(url: Url, limits: Limits, *, allow_link_local: bool = False, ca_file: str | None = None) -> HTTPConnectionPool:
    """A pool for one request to *url*, http or https; certificates are verified against the system's, and *ca_file*.

    Raises `OSError` (`ssl.SSLError` is one) for a *ca_file* that cannot be used.
    """
    kind, usual, more = (_HTTPSPool, 443, _trusting(ca_file)) if url.scheme == "https" else (_HTTPPool, 80, {})
    # Without a port, the last digits of an IPv6 address would be taken for one.
    place = url.hostname or "", url.port or usual
    return kind(*place, maxsize=1, limits=limits, allow_link_local=allow_link_local, **more)


def reason(error: BaseException) -> str:
    """The innermost cause, without the URL that urllib3's own messages carry."""
    while True:
        inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if not isinstance(inner, Exception):
            return str(error) or type(error).__name__
        error = inner


def _trusting(ca_file: str | None) -> dict[str, Any]:
    if ca_file is None:
        return {}
    context = ssl.create_default_context()
    context.load_verify_locations(ca_file)
    return {"ssl_context": context}


class _Guarded:
    """What both kinds of connection have in common; stands before urllib3's class. Used for one request, then closed."""

    host: str
    port: int

    def __init__(self, *args: Any, limits: Limits, allow_link_local: bool, **kwargs: Any) -> None:
        self._limits = limits
        self._allow_link_local = allow_link_local
        self._line: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self._is_cut = self._is_answering = False
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        """In urllib3's place: connect to the first address that answers."""
        until = time.monotonic() + self._limits.connect
        connected = self._connected(until)
        # TLS takes the socket over; a second handle on the same connection can end it at any time.
        self._line = connected.dup()
        self._timer = threading.Timer(self._limits.total - self._limits.connect + until - time.monotonic(), self._cut)
        self._timer.daemon = True
        self._timer.start()
        return connected

    def _connected(self, until: float) -> socket.socket:
        failed: OSError = TimeoutError("timed out")
        for address in self._addresses():
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((address, self.port), timeout=left)
            except OSError as error:
                failed = error
        raise failed

    def _addresses(self) -> list[str]:
        name = self.host.strip("[]")
        found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
        addresses = [str(place[0]) for *_, place in found]
        if not self._allow_link_local:
            for address in filter(is_link_local, addresses):
                raise UserError(
                    f"{name} has the address {address}: metadata services answer there, and nothing else may be asked for"
                )
        return addresses

    def getresponse(self) -> Any:
        self._is_answering = True
        try:
            return super().getresponse()  # type: ignore[misc]
        except (OSError, HTTPException):
            if self._is_cut:
                raise TimeoutError(f"no answer within {self._limits.total:g} s") from None
            raise
        finally:
            self._is_answering = False

    def _cut(self) -> None:
        self._is_cut = True
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if (
            not self._is_answering
        ):  # http.client closes it for itself where the body is the last that comes: that is to be cut
            self._end_timer()
        super().close()  # type: ignore[misc]

    def _end_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        line, self._line = self._line, None
        if line is not None:
            line.close()


class _HTTP(_Guarded, HTTPConnection):
    pass


class _HTTPS(_Guarded, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS
