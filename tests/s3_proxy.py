"""A proxy in front of a moto server that remembers what S3 was asked, and can spoil answers.

with running_moto() as moto, running_proxy(moto) as proxy:
    boto3.client("s3", endpoint_url=proxy.url)
    proxy.asked                        # ["HEAD /bucket/key", ...]
"""

import contextlib
import http.client
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import moto_server


@dataclass
class Proxy:
    """*asked*: METHOD and path of every request. *spoil*: changes the body of answers to GET, whose length stays.

    *before* and *after* see each request before it goes on, and before it is answered. False: the client hears nothing.
    """

    url: str
    target: str
    asked: list[str] = field(default_factory=list)
    spoil: Callable[[bytes], bytes] | None = None
    before: Callable[[str], bool] = lambda asked: True
    after: Callable[[str], bool] = lambda asked: True

    def reset(self) -> None:
        """Empty the server behind, and forget."""
        moto_server.reset(self.target)
        self.asked.clear()
        self.spoil = None
        self.hear_everything()

    def hear_everything(self) -> None:
        self.before = self.after = lambda asked: True


@contextlib.contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """Run a proxy to *target* on a free port of 127.0.0.1."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Forward)
    running: Any = server
    running.proxy = Proxy(url=f"http://127.0.0.1:{server.server_address[1]}", target=target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield running.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def _forward(self) -> None:
        server: Any = self.server
        proxy: Proxy = server.proxy
        asked = f"{self.command} {self.path}"
        proxy.asked.append(asked)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not proxy.before(asked):
            self.close_connection = True
            return
        connection = http.client.HTTPConnection(urlsplit(proxy.target).netloc, timeout=30)
        with contextlib.closing(connection):
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if not proxy.after(asked):
                self.close_connection = True
                return
            self._answer(answer, content, proxy)

    def _answer(self, answer: http.client.HTTPResponse, content: bytes, proxy: Proxy) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if proxy.spoil and self.command == "GET":
            spoiled = proxy.spoil(content)
            self.close_connection = len(spoiled) != len(content)
            content = spoiled
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
