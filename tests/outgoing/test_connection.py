"""A request is over within its time, however the other side answers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, parse_url

from runner.outgoing.connection import Limits, pool

SECONDS = 20  # that the other side would go on for


class Dripping:
    """Answers one request with *head*, and then a byte now and then."""

    def __init__(self, head: bytes) -> None:
        self._head, self.was_cut = head, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._answer)
        self._over = threading.Event()

    @contextmanager
    def serving(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()
            self._listener.close()

    def _answer(self) -> None:
        line, _ = self._listener.accept()
        with line:
            line.recv(65536)
            line.sendall(self._head)
            try:
                for _ in range(SECONDS * 20):
                    line.sendall(b"x")
                    if self._over.wait(0.05):
                        return
            except OSError:
                self.was_cut.set()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
    ],
)
def test_who_answers_a_byte_at_a_time_is_cut_off(head: bytes) -> None:
    other = Dripping(head)
    with other.serving(), pool(parse_url(other.url), Limits(0.5, 1.0)) as connections:
        try:
            answer = connections.urlopen(
                "GET", "/", retries=False, timeout=Timeout(connect=0.5, read=1.0), preload_content=False
            )
            answer.read(65536)
            answer.close()
        except (HTTPError, OSError):
            pass  # an answer whose end is the end of the connection only seems to be a short one
        assert other.was_cut.wait(SECONDS / 2)
