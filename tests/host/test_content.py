"""The pieces of sending a bundle by content that stand on the host, and the revisions that it keeps."""

import json
import os
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.host.bundles import revisions
from runner.host.bundles.exchange import FRAME, Exchange
from runner.host.bundles.incoming import Incoming
from runner.host.bundles.lines import LinesFile, inflated, read_lines
from runner.host.bundles.listing import Contents
from runner.host.layout import Layout
from runner.host.outcome import Failure
from runner.host.wire import HungUp, Wire


def test_lines_come_back_as_they_were_whatever_the_names(tmp_path: Path) -> None:
    lines = [["caf\udce9\n", 1], ["日本", None], ["", [True, 2.5]]] * 1000
    with LinesFile(str(tmp_path / "lines")) as file:
        for line in lines:
            file.add(line)
    assert list(read_lines(str(tmp_path / "lines"))) == lines


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1])
def test_what_is_inflated_comes_whole_at_every_size(size: int) -> None:
    packed = zlib.compress(bytes(size))
    assert b"".join(inflated(packed[at : at + 7] for at in range(0, len(packed), 7))) == bytes(size)


def test_a_bomb_is_inflated_in_little_memory_and_no_further_than_it_should_be(tmp_path: Path) -> None:
    contents = Contents()
    contents.add(bytes(32), 1000)
    bomb = zlib.compress(bytes(100 << 20))
    incoming = Incoming(str(tmp_path), contents)
    tracemalloc.start()
    with pytest.raises(Failure, match="was damaged"):
        incoming.receive(0, True, [bomb])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoil", [lambda packed: packed[:-4], lambda packed: b"", lambda packed: b"garbage"])
def test_a_file_of_lines_that_is_damaged_is_said_to_be(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    with LinesFile(str(tmp_path / "lines")) as file:
        file.add("x" * 1000)
    packed = (tmp_path / "lines").read_bytes()
    (tmp_path / "lines").write_bytes(spoil(packed))
    with pytest.raises(ValueError, match="damaged"):
        list(read_lines(str(tmp_path / "lines")))


@pytest.fixture
def wire() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    wire = Wire(ours.fileno(), ours.detach())
    yield wire, theirs
    theirs.close()
    wire.close()


def test_a_host_waits_while_it_is_told_to_and_takes_no_more_than_was_announced(
    wire: tuple[Wire, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = wire
    theirs.sendall(b'{"id": 1, "wait": true}\n{"id": 1, "listing": 5}\nabcde{"id": 2}\n')
    Exchange(ours, 1, 1.0).listing_into(str(tmp_path / "listing"))
    assert (tmp_path / "listing").read_bytes() == b"abcde"
    assert json.loads(theirs.recv(1000)) == {"id": 1, "need": "listing"}
    assert ours.receive() == {"id": 2}


def test_contents_come_one_after_the_other(wire: tuple[Wire, socket.socket]) -> None:
    ours, theirs = wire
    body = FRAME.pack(0, 3) + b"abc" + FRAME.pack(1, 5) + b"defgh" + FRAME.pack(0, 0)
    theirs.sendall(b'{"content": %d}\n' % len(body) + body)
    exchange = Exchange(ours, 1, 1.0)
    exchange.ask_for([[0, 2], [5, 6]])
    found = []
    for _ in range(3):
        is_packed, pieces = exchange.next_content()
        found.append((is_packed, b"".join(pieces)))
    assert found == [(False, b"abc"), (True, b"defgh"), (False, b"")]
    assert ours.owed == 0


@pytest.mark.parametrize("sent", [b"", b'{"listing": 5}\nabc', b"nonsense\n", b"[]\n"])
def test_a_control_side_that_falls_silent_or_talks_nonsense_has_hung_up(
    wire: tuple[Wire, socket.socket], tmp_path: Path, sent: bytes
) -> None:
    ours, theirs = wire
    theirs.sendall(sent)
    with pytest.raises(HungUp):
        Exchange(ours, 1, 0.05).listing_into(str(tmp_path / "listing"))


def test_less_than_was_announced_is_a_failure(wire: tuple[Wire, socket.socket]) -> None:
    ours, theirs = wire
    theirs.sendall(b'{"content": 12}\n' + FRAME.pack(0, 100) + b"abc")
    exchange = Exchange(ours, 1, 1.0)
    exchange.ask_for([[0, 1]])
    with pytest.raises(Failure, match="more of the bundle's contents than it sent"):
        b"".join(exchange.next_content()[1])


def a_revision(layout: Layout, name: str, size: int, age: int, noted: bool = True) -> Path:
    path = Path(layout.group) / name
    (path / "deployment-archive").mkdir(parents=True)
    (path / "deployment-archive/data").write_bytes(os.urandom(size))
    if noted:
        revisions.describe(str(path), size, "")
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(str(tmp_path), "group-1", "d-new")
    made.make()
    return made


def left(layout: Layout) -> set[str]:
    return {path.name for path in Path(layout.group).iterdir()} - {"d-new"}


def test_the_oldest_revisions_go_until_the_rest_fits_and_never_the_last_that_was_installed(layout: Layout) -> None:
    for age, name in enumerate(["d-4", "d-3", "d-2", "d-1"]):
        a_revision(layout, name, 100_000, age)
    Path(layout.last_successful).write_text(str(Path(layout.group) / "d-1"))
    revisions.keep_room(layout, 100_000, 500_000)
    assert left(layout) == {"d-1", "d-2", "d-3", "d-4"}
    revisions.keep_room(layout, 100_000, 400_000)
    assert left(layout) == {"d-1", "d-3", "d-4"}
    revisions.keep_room(layout, 100_000, 0)
    assert left(layout) == {"d-1"}


def test_the_size_of_a_revision_without_a_note_is_counted(layout: Layout) -> None:
    path = a_revision(layout, "d-1", 100_000, 0, noted=False)
    assert 100_000 <= revisions.size_of(str(path)) <= 110_000


def test_the_oldest_revisions_go_when_there_are_too_many(layout: Layout) -> None:
    for age, name in enumerate(["d-4", "d-3", "d-2", "d-1"]):
        a_revision(layout, name, 10, age)
    Path(layout.last_successful).write_text(str(Path(layout.group) / "d-1"))
    revisions.keep_at_most(layout, 5)
    assert left(layout) == {"d-1", "d-2", "d-3", "d-4"}
    revisions.keep_at_most(layout, 3)
    assert left(layout) == {"d-1", "d-3", "d-4"}
