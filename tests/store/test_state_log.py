"""The numbers of a state's log: one owner, whatever is frozen, removed or lost between two requests."""

from collections.abc import Callable

import pytest
from fakes.state_objects import FakeObjects
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import StateFolderBusy, WorldError
from runner.store.elsewhere.log import Overtaken, StateLog
from runner.store.elsewhere.piece import FORMAT, decode

EMPTY = b"an empty database"


def begun(objects: FakeObjects, name: str) -> StateLog:
    log = StateLog(objects, name)
    log.begin(EMPTY)
    return log


def write(log: StateLog, text: str) -> None:
    log.append("log", text.encode(), 0, {})


def compact(log: StateLog, objects: FakeObjects) -> None:
    """As whoever owns the state does: the base is what the pieces say, put one behind the other."""
    log.compact(EMPTY + text_of(objects).encode(), {})


def text_of(objects: FakeObjects) -> str:
    found = StateLog(objects, "a reader").read()
    base = found.base.content.removeprefix(EMPTY) if found.base else b""
    return (base + b"".join(each.content for each in found.pieces)).decode()


def test_what_was_written_is_read_in_its_order() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")
    for letter in "abc":
        write(log, letter)
    assert text_of(objects) == "abc"


def test_nothing_is_there_before_anybody_began() -> None:
    objects = FakeObjects()
    assert StateLog(objects, "a reader").read().base is None
    assert objects.there == {}


def test_who_was_overtaken_writes_nothing_more() -> None:
    objects = FakeObjects()
    first = begun(objects, "a")
    write(first, "a")
    second = begun(objects, "b")
    with pytest.raises(Overtaken) as overtaken:
        write(first, "lost")
    assert overtaken.value.holder == "b"
    write(second, "b")
    assert text_of(objects) == "ab"


def test_who_was_overtaken_stays_so_when_the_pieces_are_in_a_base() -> None:
    objects = FakeObjects()
    first = begun(objects, "a")
    write(first, "a")
    second = begun(objects, "b")
    write(second, "b")
    compact(second, objects)
    third = begun(objects, "c")
    compact(third, objects)
    for late in (first, second):
        with pytest.raises(Overtaken):
            write(late, "lost")
    assert text_of(objects) == "ab"


def test_only_what_holds_somebody_off_stays_behind_a_base() -> None:
    objects = FakeObjects()
    for name in "abc":
        log = begun(objects, name)
        write(log, name)
        log.append("end", b"", 0, {})
    last = begun(objects, "d")
    compact(last, objects)
    assert sorted(objects.there) == ["base/0000000010"]
    begun(objects, "after d, which never said that it had ended")
    another = begun(objects, "e")
    compact(another, objects)
    assert sorted(objects.there) == ["base/0000000012", "log/0000000011", "log/0000000012"]


def test_a_base_is_due_after_many_pieces_or_many_bytes() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")
    assert not log.is_long
    log.append("log", b"x" * 5_000_000, 0, {})
    assert log.is_long
    log.compact(b"", {})
    assert not log.is_long
    for _ in range(64):
        write(log, "x")
    assert log.is_long
    again = StateLog(objects, "b")
    again.begin(EMPTY)
    assert again.is_long


def test_an_answer_that_was_lost_is_known_by_the_writers_random_name() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")
    twice(objects, "create log/0000000002")
    write(log, "a")
    write(log, "b")
    assert text_of(objects) == "ab"


def twice(objects: FakeObjects, wanted: str) -> None:
    """What is created by that request is there already: the first try had arrived."""
    create = objects.create

    def again(name: str, content: bytes) -> str | None:
        if f"create {name}" == wanted:
            create(name, content)
        return create(name, content)

    objects.create = again  # type: ignore[method-assign]


def test_two_who_begin_at_once_have_one_after_the_other() -> None:
    objects = FakeObjects()
    first = StateLog(objects, "a")
    second: list[StateLog] = []
    interrupt(objects, "create log/0000000001", lambda: second.append(begun(objects, "b")))
    found = first.begin(EMPTY)
    assert found.number == 1
    write(first, "a")
    with pytest.raises(Overtaken):
        write(second[0], "b")


def interrupt(objects: FakeObjects, wanted: str, do: Callable[[], object]) -> None:
    """*do* it once, just before the request *wanted*."""

    def met(request: str) -> None:
        if request == wanted:
            objects.met = lambda request: None
            do()

    objects.met = met


def test_who_begins_with_a_number_that_has_gone_into_a_base_begins_again() -> None:
    """It has read the state, and another one begins, writes, compacts and ends before its first piece."""
    objects = FakeObjects()
    log = begun(objects, "a")
    write(log, "a")
    log.append("end", b"", 0, {})

    def meanwhile() -> None:
        other = begun(objects, "b")
        write(other, "b")
        compact(other, objects)
        other.append("end", b"", 0, {})

    late = StateLog(objects, "late")
    interrupt(objects, "create log/0000000004", meanwhile)
    late.begin(EMPTY)
    write(late, "c")
    assert text_of(objects) == "abc"


def test_a_reader_never_sees_half_of_a_compaction() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")
    for letter in "abc":
        write(log, letter)
    interrupt(objects, "find log/0000000003", lambda: compact(log, objects))
    assert text_of(objects) == "abc"


def test_pieces_that_somebody_removed_are_told() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")
    for letter in "abc":
        write(log, letter)
    del objects.there["log/0000000002"]
    with pytest.raises(WorldError, match=r"pieces of the state memory are missing; restore log/0000000001"):
        StateLog(objects, "a reader").read()


def test_a_state_of_a_newer_penstock_is_left_alone() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")
    write(log, "a")
    content, tag, at = objects.there["log/0000000002"]
    objects.there["log/0000000002"] = (content.replace(b'"format":1', b'"format":2'), tag, at)
    before = dict(objects.there)
    with pytest.raises(WorldError, match=r"log/0000000002 of the state memory was written by a newer Penstock"):
        StateLog(objects, "b").begin(EMPTY)
    assert objects.there == before


@pytest.mark.parametrize("spoilt", [b"", b"hello", b'{"format":1}\nx', b'{"format":"1"}\n'])
def test_what_is_no_piece_is_told(spoilt: bytes) -> None:
    with pytest.raises(WorldError, match="log/1 is damaged"):
        decode(spoilt, "log/1")
    assert FORMAT == 1


STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["begin", "write", "compact", "end"])), max_size=40)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_four_processes_do_there_is_one_history(steps: list[tuple[int, str]]) -> None:
    """The state is what was written by those who had it, in order; who was overtaken has written nothing since."""
    objects = FakeObjects()
    logs: dict[int, StateLog] = {}
    owner: int | None = None
    history = ""
    known: dict[int, str] = {}  # of the history, by each
    for number, (who, step) in enumerate(steps):
        log, letter = logs.get(who), chr(ord("a") + number % 26)
        if step == "begin":
            logs[who], owner, known[who] = begun(objects, str(who)), who, history
        elif log is None:
            continue
        elif step == "write":
            try:
                write(log, letter)
                assert who == owner
                history += letter
                known[who] = history
            except Overtaken:
                assert who != owner
        elif step == "compact":  # also of one that was frozen just before it
            log.compact(f"{EMPTY.decode()}{known[who]}".encode(), {})
        elif step == "end" and who == owner:
            log.append("end", b"", 0, {})
            del logs[who]
            owner = None
        assert text_of(objects) == history


def test_a_state_that_never_holds_still_is_told() -> None:
    objects = FakeObjects()
    log = begun(objects, "a")

    def met(request: str) -> None:
        if request.startswith("create log/"):
            met_once, objects.met = objects.met, lambda request: None
            begun(objects, "another")
            objects.met = met_once

    objects.met = met
    with pytest.raises(StateFolderBusy, match="other processes keep taking the state memory"):
        StateLog(objects, "b").begin(EMPTY)
    objects.met = lambda request: None
    with pytest.raises(Overtaken):
        write(log, "a")
