"""A payload as large as GitHub ever sends: refused, and what was pushed is found all the same."""

import socket
from pathlib import Path

from acceptance_cases import wait_until
from webhook_rig import SECRETS, sign
from webhook_site import Site

LARGE = 25_000_000  # bytes; GitHub sends no more


def test_25_megabytes_are_refused_and_the_push_is_found_by_the_next_poll(tmp_path: Path) -> None:
    site = Site(tmp_path, interval="1s")
    with site.serving() as server:
        wait_until(lambda: len(site.deployed()) == 1, "the first deployment")
        pushed = site.commit()
        body = b'{"ref": "refs/heads/main", "commits": ["' + b"x" * LARGE + b'"]}'
        assert send(server.url, body) == b"HTTP/1.1 413"
        site.push()
        wait_until(lambda: site.deployed()[1:] == [pushed], "the deployment by a poll")
        assert site.query("SELECT count(*) FROM deliveries") == [(0,)]


def send(url: str, body: bytes) -> bytes:
    """The beginning of the answer. The server may close before it has all."""
    host, _, port = url.removeprefix("http://").partition(":")
    head = (
        f"POST /webhooks/shop HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"x-github-event: push\r\nx-github-delivery: large\r\n"
        f"x-hub-signature-256: {sign(body, SECRETS['env:SHOP_HOOK'])}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), 60) as line:
        try:
            line.sendall(head.encode() + body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return line.recv(12)
