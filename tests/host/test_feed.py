"""The log on its way to the control side."""

import json
import socket
from pathlib import Path

from runner.host.scripts.feed import Feed
from runner.host.scripts.reading import Log
from runner.host.wire import Wire


def test_the_last_piece_is_not_done_with_before_all_of_it_was_taken(tmp_path: Path) -> None:
    """A script that hangs prints nothing more: whatever is still in our hands then would never arrive."""
    log = tmp_path / "scripts.log"
    log.write_text("".join(f"2026-01-01 00:00:00 [stdout]{'x' * 90}\n" for _ in range(500)))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        theirs.setblocking(False)
        feed = Feed(Wire(ours.fileno(), ours.fileno()), 1, Log(str(log)), None, 1 << 20)
        feed.begins_at(0)
        received, done = b"", feed.pump()
        assert not done
        while not done:
            received += theirs.recv(1 << 20)
            done = feed.pump()
        received += theirs.recv(1 << 20)
    assert json.loads(received)["log"].count("[stdout]") == 500


def sent(log: Path, offset: int | None, most: int) -> list[dict[str, object]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        feed = Feed(Wire(ours.fileno(), ours.fileno()), 1, Log(str(log)), offset, most)
        feed.begins_at(0)
        feed.finish()
        ours.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in theirs.makefile()]


def test_after_enough_output_one_line_tells_where_the_rest_is_and_it_is_not_told_twice(tmp_path: Path) -> None:
    log = tmp_path / "scripts.log"
    log.write_text("".join(f"2026-01-01 00:00:00 line {number:03}\n" for number in range(500)))
    pieces = sent(log, None, 1000)
    *lines, last = "".join(str(piece["log"]) for piece in pieces).splitlines()
    assert lines == [f"line {number:03}" for number in range(1000 // 29)]
    assert last == f"[warning]the output goes on; only its first 1000 bytes are sent, the rest is in {log} on this host"
    assert sent(log, int(str(pieces[-1]["offset"])), 1000) == []
    assert [piece["log"] for piece in sent(log, int(str(pieces[-2]["offset"])), 1000)] == [last + "\n"]


def test_output_that_is_just_enough_is_sent_whole_and_without_a_word(tmp_path: Path) -> None:
    log = tmp_path / "scripts.log"
    log.write_text("2026-01-01 00:00:00 line\n" * 40)
    assert "".join(str(piece["log"]) for piece in sent(log, None, 1000)) == "line\n" * 40
