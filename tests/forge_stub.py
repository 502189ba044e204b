"""The REST APIs of GitHub and Bitbucket, as far as deployments are reported there: a real HTTP server with a memory.

with running_forge() as forge:
    forge.github.add("acme/shop", COMMIT)       # what is not there is answered 404 and 422
    forge.tokens.add("t0ken")
    forge.answers.append(Fault(503))            # the next request fails, then all is well again
    ... forge.url ...
    forge.github.statuses, forge.exchanges
"""

import base64
import contextlib
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from forge_stub_bitbucket import Bitbucket
from forge_stub_github import GitHub, Says


class Fault(NamedTuple):
    """An answer in place of the right one; nothing is done for it."""

    status: int
    headers: dict[str, str] = {}
    body: object = {"message": "a fault"}


class Exchange(NamedTuple):
    """One request and its answer. *path*: without the query."""

    method: str
    path: str
    authorization: str
    body: Any
    status: int
    answer: Any


# What GitHub says to those who ask too much. Source: its documentation, "Rate limits for the REST API".
_FULL = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "4102444800"}
PRIMARY_LIMIT = Fault(403, _FULL, {"message": "API rate limit exceeded"})
SECONDARY_LIMIT = Fault(403, {}, {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."})


@dataclass
class Forge:
    """*tokens*: who may do all. *after_storing*: called when a request has had its effect, before it is answered."""

    url: str
    github: GitHub
    bitbucket: Bitbucket
    tokens: set[str] = field(default_factory=set)
    answers: list[Fault] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    after_storing: Callable[[str, str], None] = lambda method, path: None

    def asked(self, method: str, end: str) -> list[Exchange]:
        """Those requests whose path ends with *end*."""
        return [each for each in self.exchanges if each.method == method and each.path.endswith(end)]


@contextlib.contextmanager
def running_forge(tls: ssl.SSLContext | None = None) -> Iterator[Forge]:
    """Serve on a free port of 127.0.0.1; with *tls* by https."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that are killed are what these tests are about

    with Server(("127.0.0.1", 0), _Handler) as server:
        url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        if tls:
            # the handshake belongs to the connection's own thread: a client that refuses us must not stop the listener
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        running: Any = server
        running.forge = forge = Forge(url, GitHub(url), Bitbucket(url))
        running.lock = threading.Lock()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield forge
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        server: Any = self.server
        forge: Forge = server.forge
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        path, body = unquote(parts.path), json.loads(raw) if raw else None
        shown = self.headers.get("Authorization", "")
        with server.lock:
            said, headers = self._answer(forge, path, {k: v[0] for k, v in parse_qs(parts.query).items()}, body, shown)
            if (
                self.command == "GET" and said.status == 200 and path.startswith("/repos/")
            ):  # Bitbucket's lists have none
                headers["ETag"] = f'W/"{hashlib.sha256(_content(said)).hexdigest()}"'
                if self.headers.get("If-None-Match") == headers["ETag"]:
                    said = Says(304)
            forge.exchanges.append(Exchange(self.command, path, shown, body, said.status, said.body))
        forge.after_storing(self.command, path)
        content = _content(said)
        with contextlib.suppress(OSError):  # the client is gone
            self.send_response(said.status)
            for name, value in headers.items():
                self.send_header(name, value)
            if content:
                self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _answer(
        self, forge: Forge, path: str, query: dict[str, str], body: Any, shown: str
    ) -> tuple[Says, dict[str, str]]:
        if forge.answers:
            fault = forge.answers.pop(0)
            return Says(fault.status, fault.body), dict(fault.headers)
        github, token = forge.github, shown.removeprefix("Bearer ")
        if shown.startswith("Basic "):
            token = base64.b64decode(shown.removeprefix("Basic ")).decode().partition(":")[2]
        if (said := github.app_answer(self.command, path, body, token)) is not None:
            return said, {}
        if token not in forge.tokens and not github.lets_in(token, path):
            return Says(401, {"message": "Bad credentials"}), {}
        if path.startswith("/repos/") or path == "/user":
            github.conversations.app_id = int(github.app[0]) if github.app and token in github.app_tokens else None
            return github.answer(self.command, path, query, body), {}
        return forge.bitbucket.answer(self.command, path, query, body), forge.bitbucket.headers(path)

    def log_message(self, *arguments: Any) -> None:
        pass


def _content(said: Says) -> bytes:
    return b"" if said.body is None else json.dumps(said.body).encode()
