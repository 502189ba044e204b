"""The log on its way to the control side."""

import json
import socket
from pathlib import Path

from runner.host.feed import Feed
from runner.host.wire import Wire


def test_the_last_piece_is_not_done_with_before_all_of_it_was_taken(tmp_path: Path) -> None:
    """A script that hangs prints nothing more: whatever is still in our hands then would never arrive."""
    log = tmp_path / "scripts.log"
    log.write_text("".join(f"2026-01-01 00:00:00 [stdout]{'x' * 90}\n" for _ in range(500)))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        theirs.setblocking(False)
        feed = Feed(Wire(ours.fileno(), ours.fileno()), 1, str(log), 0)
        received, done = b"", feed.pump()
        assert not done
        while not done:
            received += theirs.recv(1 << 20)
            done = feed.pump()
        received += theirs.recv(1 << 20)
    assert json.loads(received)["log"].count("[stdout]") == 500
