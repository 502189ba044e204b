"""The host's journal, its logs and its connection: what they say after a crash, and on a full or slow other side."""

import json
import socket
from pathlib import Path

import pytest

from runner.host.journal import Journal
from runner.host.layout import Layout
from runner.host.request import Limits
from runner.host.scripts.feed import Feed
from runner.host.scripts.logs import LONGEST_LINE, ScriptsLog, rotate
from runner.host.scripts.output import cut
from runner.host.scripts.pieces import end_of, older
from runner.host.scripts.reading import Log, tail
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


def test_the_end_that_a_shell_appends_is_seen_by_who_has_read_before(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(str(path), "Install", 1)
    assert journal.script_end(0) is None
    with path.open("a") as file:
        file.write(journal.unfinished_end(0) + "7}\n")
    assert journal.script_end(0) == 7
    assert journal.script_end(1) is None


def read_lines(path: str, position: int) -> tuple[str, int]:
    return Log(path).lines(position)


def scripts_log(folder: Path, **limits: int) -> tuple[ScriptsLog, str]:
    layout = Layout(str(folder), "g", "d-1")
    layout.make()
    return ScriptsLog(layout, "d-1", Limits(**limits)), layout.scripts_log


def test_lines_are_read_back_without_their_time_and_from_any_offset(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path)
    log.add(b"", b"one\ntwo\n")
    text, offset = read_lines(path, 0)
    assert text == "one\ntwo\n"
    log.add(b"", b"\nthree\n")
    assert read_lines(path, offset)[0] == "\nthree\n"


def test_a_line_that_a_crash_left_unfinished_is_finished_by_the_next_writer(tmp_path: Path) -> None:
    _, path = scripts_log(tmp_path)
    Path(path).write_bytes(b"2026-01-01 00:00:00 half")
    log, _ = scripts_log(tmp_path)
    log.add(b"", b"next\n")
    assert read_lines(path, 0)[0] == "half\nnext\n"


def test_the_tail_is_empty_when_the_last_line_is_too_long_by_itself(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path)
    log.add(b"", b"short\n" + b"x" * 2048 + b"\n")
    assert tail(path, 0) == ""
    log.add(b"", b"y" * 2046 + b"\n")
    assert tail(path, 0) == "y" * 2046 + "\n"


def test_the_tail_of_a_long_log_is_its_end(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path)
    log.add(b"", (b"x" * LONGEST_LINE + b"\n") * 10 + b"".join(b"line %d\n" % number for number in range(30000)))
    found = tail(path, 0)
    assert found.endswith("line 29999\n")
    assert 2000 < len(found) < 2048


def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for number in range(12):
        path.write_text(f"{number}" * 20)
        with path.open("rb") as file:
            rotate(str(path), file.fileno(), most=10, keep=3)
            rotate(str(path), file.fileno(), most=10, keep=3)  # another process that had it open: too late
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.1", "log.2"]
    assert (tmp_path / "log.1").read_text().startswith("11")


def test_the_log_of_all_deployments_is_rotated_while_one_event_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.host.scripts.logs._MOST_OF_ALL", 1 << 20)
    monkeypatch.setattr("runner.host.scripts.logs._LOOK_EVERY", 1 << 18)
    one, _ = scripts_log(tmp_path)
    other, _ = scripts_log(tmp_path)
    for _ in range(200):
        one.add(b"", b"x" * 60000 + b"\n")
        other.add(b"", b"y" * 60000 + b"\n")
    folder = tmp_path / "var/lib/penstock/deployment-logs"
    sizes = {entry.name: entry.stat().st_size for entry in folder.iterdir()}
    assert len(sizes) == 8
    assert max(sizes.values()) < 2 << 20


def test_positions_stay_true_when_the_log_is_rotated_under_a_reader(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path, log_piece=500, log_pieces=1000)
    reader, position, read = Log(path), 0, ""
    for number in range(300):
        log.add(b"[stdout]", b"line %d\n" % number)
        if number % 7 == 0:
            text, position = reader.lines(position)
            read += text
    while text:
        text, position = reader.lines(position)
        read += text
    assert len(older(path)) > 10
    assert position == end_of(path)
    assert read == "".join(f"[stdout]line {number}\n" for number in range(300))


def test_who_comes_back_after_its_piece_is_gone_hears_how_much_is_missing(tmp_path: Path) -> None:
    log, path = scripts_log(tmp_path, log_piece=500, log_pieces=3)
    for number in range(300):
        log.add(b"", b"line %d\n" % number)
    assert len(older(path)) == 2
    start = older(path)[0][0]
    text, _ = read_lines(path, 29)
    first, second = text.split("\n")[:2]
    assert (
        first
        == f"[warning]{start - 29} bytes of the output are missing here: {path} was rotated before they could be sent"
    )
    assert second.startswith("line ")
    assert tail(path, 0).endswith("line 299\n")


@pytest.mark.parametrize("size", [0, 1, LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 3 * LONGEST_LINE + 5])
def test_only_lines_that_are_too_long_are_cut_and_nothing_is_lost(size: int) -> None:
    lines = cut(b"short\n" * 7000 + b"x" * size + b"\n" + b"short\n")
    assert lines.startswith(b"short\n" * 7000)
    assert lines.endswith(b"\nshort\n")
    assert lines.count(b"x") == size
    assert max(len(line) for line in lines.split(b"\n")) <= LONGEST_LINE


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
    log.add(b"", b"one\n")
    after_one = Path(path).stat().st_size
    log.add(b"", b"two\n")
    for offset, expected in ((None, "one\ntwo\n"), (after_one, "two\n")):
        feed = Feed(wire, 1, Log(path), offset, 1 << 20)
        feed.begins_at(0)
        feed.finish()
        assert json.loads(ours.recv(1000))["log"] == expected
    wire.close()
    ours.close()
