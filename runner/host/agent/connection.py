"""One HTTP connection to the control side, kept open between requests."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from urllib.parse import urlsplit

from runner.host.agent.errors import Mistake, Unreachable
from runner.host.lean.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECT = 10.0  # seconds
_MOST = 64 << 20  # bytes of an answer that is held in memory
_WENT_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class Answer(Record):
    """*headers*: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """To *server*, a URL. One thread uses it; any may `cut` it. Every method raises `Unreachable`."""

    def __init__(self, server: str, trust: ssl.SSLContext | None) -> None:
        self._server = server
        parts = urlsplit(server)
        self.authority = parts.netloc
        host = parts.hostname or ""
        self._http: http.client.HTTPConnection
        if parts.scheme == "https":
            self._http = http.client.HTTPSConnection(host, parts.port, timeout=_CONNECT, context=trust)
        else:
            self._http = http.client.HTTPConnection(host, parts.port, timeout=_CONNECT)
        self._guard = threading.Lock()
        self._cut = False

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes, patience: float) -> Answer:
        """Send a request and read the whole answer. *patience*: seconds of silence."""
        answer = self.begin(method, path, headers, body, patience)
        try:
            content = answer.read(_MOST + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._broke(error) from error
        if len(content) > _MOST:
            raise self._broke(ValueError("its answer is too long"))
        if answer.will_close:
            self._http.close()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=named, body=content)

    def begin(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, patience: float
    ) -> http.client.HTTPResponse:
        """Send a request; the answer's body is left to be read. The server may have closed an idle connection: once more."""
        was_open = self._http.sock is not None
        try:
            try:
                return self._send(method, path, headers, body, patience)
            except _WENT_STALE:
                if not was_open or self._cut:
                    raise
                self._http.close()
                return self._send(method, path, headers, body, patience)
        except (OSError, http.client.HTTPException) as error:
            raise self._broke(error) from error

    def cut(self) -> None:
        """Break it under whoever uses it; it is of no more use."""
        with self._guard:
            self._cut = True
            sock = self._http.sock
        if sock is not None:
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which belongs to the other thread
            except OSError:
                pass

    def close(self) -> None:
        self._http.close()

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, patience: float
    ) -> http.client.HTTPResponse:
        if self._http.sock is None:
            self._http.connect()  # sets TCP_NODELAY
        with self._guard:
            if self._cut:
                raise ConnectionResetError("the agent is being stopped")
        self._http.sock.settimeout(patience)
        self._http.request(method, path, body or None, dict(headers))
        return self._http.getresponse()

    def _broke(self, error: Exception) -> Unreachable:
        self._http.close()
        return Unreachable("{} cannot be reached: {}".format(self._server, describe(error)))


def describe(error: Exception) -> str:
    """*error* in few words, with what to do where that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted ({}); name its authority with --ca-file".format(error.verify_message)
    if isinstance(error, socket.timeout):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def trust_in(server: str, ca_file: str) -> ssl.SSLContext | None:
    """Whose certificates are believed: the system's authorities, or those in *ca_file*. Raises `Mistake`."""
    if not server.startswith("https:"):
        return None
    try:
        trust = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise Mistake("{} is not a file of certificates: {}".format(ca_file, describe(error))) from error
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    return trust
