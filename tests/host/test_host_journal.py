"""The host's journal, its logs and its connection: what they say after a crash, and on a full or slow other side."""

import json
import socket
from pathlib import Path

import pytest

from runner.host.feed import Feed
from runner.host.journal import Journal
from runner.host.layout import Layout
from runner.host.logs import LONGEST_LINE, ScriptsLog, read_lines, rotate, tail
from runner.host.wire import Wire


def test_entries_of_other_events_and_attempts_do_not_count(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    Journal(path, "Install", 1).add("ended", outcome={"succeeded": True})
    assert Journal(path, "Install", 1).outcome() == {"succeeded": True}
    assert Journal(path, "Install", 2).outcome() is None
    assert Journal(path, "AfterInstall", 1).outcome() is None


def test_a_torn_line_counts_as_not_written_and_spoils_nothing_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    torn = json.dumps({"kind": "ended", "event": "Install", "attempt": 1, "outcome": {}})[:-5]
    path.write_text(torn)
    journal = Journal(str(path), "Install", 1)
    assert journal.outcome() is None
    journal.add("began", at="now", log=0)
    assert journal.began() is not None
    assert journal.outcome() is None


def test_one_process_sees_what_another_added(tmp_path: Path) -> None:
    one, other = (Journal(str(tmp_path / "journal"), "Install", 1) for _ in range(2))
    assert one.script_end(0) is None
    other.add("script ended", number=0, code="Success", message="")
    assert one.script_end(0) is not None
    assert one.script_end(1) is None


def scripts_log(folder: Path) -> tuple[ScriptsLog, str]:
    layout = Layout(str(folder), "g", "d-1")
    layout.make()
    return ScriptsLog(layout, "d-1"), layout.scripts_log


def test_lines_are_read_back_without_their_time_and_from_any_offset(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path)
    log.add([b"one", b"two"])
    text, offset = read_lines(path, 0)
    assert text == "one\ntwo\n"
    log.add([b"", b"three"])
    assert read_lines(path, offset)[0] == "\nthree\n"


def test_a_line_that_a_crash_left_unfinished_is_finished_by_the_next_writer(tmp_path: Path) -> None:
    _, path = scripts_log(tmp_path)
    Path(path).write_bytes(b"2026-01-01 00:00:00 half")
    log, _ = scripts_log(tmp_path)
    log.add([b"next"])
    assert read_lines(path, 0)[0] == "half\nnext\n"


def test_the_tail_is_empty_when_the_last_line_is_too_long_by_itself(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path)
    log.add([b"short", b"x" * 2048])
    assert tail(path, 0) == ""
    log.add([b"y" * 2046])
    assert tail(path, 0) == "y" * 2046 + "\n"


def test_the_tail_of_a_long_log_is_its_end(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path)
    log.add([b"x" * LONGEST_LINE] * 10 + [b"line %d" % number for number in range(30000)])
    found = tail(path, 0)
    assert found.endswith("line 29999\n")
    assert 2000 < len(found) < 2048


def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for number in range(12):
        path.write_text(f"{number}" * 20)
        rotate(str(path), most=10, keep=3)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.1", "log.2"]
    assert (tmp_path / "log.1").read_text().startswith("11")


@pytest.fixture
def ends() -> tuple[socket.socket, Wire]:
    ours, theirs = socket.socketpair()
    fd = theirs.detach()
    return ours, Wire(fd, fd)


def test_sending_never_waits_for_a_slow_other_side(ends: tuple[socket.socket, Wire]) -> None:
    ours, wire = ends
    taken = 0
    while wire.offer({"id": taken, "log": "x" * 60000}):
        taken += 1
    assert taken < 100
    ours.settimeout(5)
    received = b""
    while received.count(b"\n") < taken:
        received += ours.recv(1 << 20)
        wire.offer({"end": 1})
    assert [json.loads(line)["id"] for line in received.split(b"\n")[:taken]] == list(range(taken))
    wire.close()
    ours.close()


def test_a_hung_up_other_side_is_noticed_and_sending_is_dropped(ends: tuple[socket.socket, Wire]) -> None:
    ours, wire = ends
    assert not wire.is_hung_up()
    ours.close()
    assert wire.is_hung_up()
    wire.send({"id": 1})
    assert wire.gone
    assert wire.receive() is None
    wire.close()


def test_a_feed_starts_where_the_asker_had_got_to(tmp_path: Path, ends: tuple[socket.socket, Wire]) -> None:
    ours, wire = ends
    log, path = scripts_log(tmp_path)
    log.add([b"one"])
    after_one = Path(path).stat().st_size
    log.add([b"two"])
    for offset, expected in ((None, "one\ntwo\n"), (after_one, "two\n")):
        feed = Feed(wire, 1, path, offset)
        feed.begins_at(0)
        feed.finish()
        assert json.loads(ours.recv(1000))["log"] == expected
    wire.close()
    ours.close()
