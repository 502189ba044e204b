"""A real HTTP server for webhooks, in a thread, that answers as the test says and keeps what it received."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Received(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers each request with the next of *answers* (statuses), the last one for ever; redirects lead to /elsewhere."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers = [200]
        self.received: list[Received] = []
        self.before_answer: Callable[[], None] = lambda: None

    def next_answer(self) -> int:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def running_receiver(*, wrap: Callable[[socket.socket], socket.socket] | None = None) -> Iterator[Receiver]:
    """Serve on a free port of 127.0.0.1. *wrap*: puts TLS around the listening socket."""
    receiver: Receiver

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(Received(self.path, dict(self.headers), body))
            receiver.before_answer()
            status = receiver.next_answer()
            with contextlib.suppress(OSError):  # the client has had enough
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        do_GET = do_POST

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that hang up are what these tests are about

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port)
        if wrap is not None:
            server.socket = wrap(server.socket)
            receiver.url = receiver.url.replace("http:", "https:")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def running_talker(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that leaves each connection to *say*, which is to stop when the event is set. Yields its URL."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            say(connection, over)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                threads.append(threading.Thread(target=talk, args=(connection,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.02)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            accepting.join()
            for each in threads:
                each.join()
