"""The Runtime API, version 2018-06-01, for one process that runs one function: what is next, and how it went."""

import json
import queue
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_ROOT = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Event:
    """One invocation. *timeout*: seconds that the function has, from when it takes the event."""

    request_id: str
    payload: bytes
    arn: str
    timeout: float


@dataclass(frozen=True)
class Ended:
    """*error*: whether the function failed; *payload* then tells why, as JSON."""

    payload: bytes
    error: bool


class RuntimeApi:
    """Listens on a port of its own, so that it knows which process asks."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event | None] = queue.Queue()  # None: there is nothing more
        self.ended: queue.Queue[Ended] = queue.Queue()
        self.taken = threading.Event()  # the process has begun with the last event
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1  # a whole answer in one packet, at once

    def do_GET(self) -> None:
        event = self.api.events.get() if self.path == f"{_ROOT}invocation/next" else None
        if event is None:
            self.close_connection = True
            return
        self.api.taken.set()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", event.request_id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + event.timeout) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", event.arn)
        self._body(event.payload)

    def do_POST(self) -> None:
        body = self._read()
        if self.path.startswith(_ROOT) and self.path.endswith(("/response", "/error")):
            self.api.ended.put(Ended(body, error=self.path.endswith("/error")))
        self.send_response(202)
        self._body(json.dumps({"status": "OK"}).encode())

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _body(self, body: bytes) -> None:
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
