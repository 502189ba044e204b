"""One GET, against real servers."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.checks.http import http_failure
from runner.model.checks import HttpCheck


class Handler(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None]] = []

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization")))
        status = int(self.path.strip("/").partition("?")[0] or 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_): ...


@pytest.fixture
def port():
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_expected_status_passes(port):
    assert http_failure(HttpCheck(url=f"http://127.0.0.1:{port}/200")) is None
    assert http_failure(HttpCheck(url=f"http://127.0.0.1:{port}/204", expect=204)) is None


def test_another_status_fails_and_both_are_told(port):
    said = http_failure(HttpCheck(url=f"http://127.0.0.1:{port}/503"))
    assert said == f"http://127.0.0.1:{port}/503 answered 503, not 200"


def test_a_redirect_is_an_answer_like_any_other(port):
    assert "answered 302, not 200" in http_failure(HttpCheck(url=f"http://127.0.0.1:{port}/302"))
    assert http_failure(HttpCheck(url=f"http://127.0.0.1:{port}/302", expect=302)) is None
    assert [path for path, _ in Handler.asked] == ["/302", "/302"]


def test_a_password_and_a_query_are_sent_and_not_told(port):
    said = http_failure(HttpCheck(url=f"http://me:s3cret@127.0.0.1:{port}/500?token=t0ken"))
    assert Handler.asked == [("/500?token=t0ken", "Basic bWU6czNjcmV0")]
    assert "s3cret" not in said and "t0ken" not in said


def test_nobody_there_is_a_failure():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        said = http_failure(HttpCheck(url=f"http://127.0.0.1:{free.getsockname()[1]}/"))
    assert "did not answer" in said
    assert "refused" in said


def test_a_server_that_says_a_byte_now_and_then_is_not_waited_for():
    ended = threading.Event()

    def drip(listening):
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(0.1)
            while not ended.is_set():
                try:
                    connection.sendall(b"H")
                except OSError:
                    return
                ended.wait(0.2)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        began = time.monotonic()
        said = http_failure(HttpCheck(url=f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=1))
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert "no answer within 1 s" in said or "timed out" in said
    assert took < 30


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "2852039166", "0xA9FEA9FE"]
)
def test_metadata_services_are_never_asked_however_they_are_written(host):
    said = http_failure(HttpCheck(url=f"http://{host}/latest/meta-data/", timeout=1))
    assert "metadata services answer there" in said


@pytest.mark.parametrize("url", ["ftp://example.com/", "/healthz", "http://", "http://[::1", ""])
def test_what_is_no_url_is_told(url):
    assert "URL" in http_failure(HttpCheck(url=url))
