"""The barrier: what a transaction has made is elsewhere when it returns, and nobody acts on what is not."""

import hashlib
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.state_objects import FakeObjects
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_cases import PIPELINE

from runner.errors import WorldError
from runner.store.database import Database
from runner.store.elsewhere.folder import CopyFolder
from runner.store.elsewhere.piece import SmallFile
from runner.store.elsewhere.state import StateElsewhere
from runner.store.store import Store
from runner.store.tables import repositories


class Held:
    """A state that this process has, with its database."""

    def __init__(self, objects: FakeObjects) -> None:
        self.state = StateElsewhere(objects, {})
        self.database = Database(self.state.folder, shipping=self.state.hold())

    def add(self, name: str) -> None:
        with self.database.write() as tx:
            tx.execute(repositories.insert().values(name=name))

    def names(self) -> list[str]:
        with self.database.read() as tx:
            return sorted(tx.execute(repositories.select()).scalars())

    def close(self) -> None:
        self.database.close()
        self.state.close()


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
def held(objects: FakeObjects) -> Iterator[Held]:
    made = Held(objects)
    yield made
    made.close()


def seen(objects: FakeObjects) -> list[str]:
    """What the next process would find, if this one died now."""
    state = StateElsewhere(objects, {})
    state.look()
    database = Database(state.folder)
    try:
        with database.read() as tx:
            return sorted(tx.execute(repositories.select()).scalars())
    finally:
        database.close()
        state.close()


def test_each_commit_is_there_when_it_returns(held: Held, objects: FakeObjects) -> None:
    for number in range(5):
        held.add(str(number))
        assert seen(objects) == [str(each) for each in range(number + 1)]


def test_what_was_undone_is_nowhere(held: Held, objects: FakeObjects) -> None:
    """Also where it was large, so that SQLite has written it into its log already."""
    held.add("before")
    with pytest.raises(ZeroDivisionError), held.database.write() as tx:
        tx.exec_driver_sql("PRAGMA cache_size=2")
        for number in range(2000):
            tx.execute(repositories.insert().values(name=f"undone {number} {'x' * 500}"))
        raise ZeroDivisionError
    assert (held.state.folder / "penstock.db-wal").stat().st_size > 500_000
    held.add("after")
    assert seen(objects) == ["after", "before"]


def test_a_transaction_that_changes_nothing_writes_nothing(held: Held, objects: FakeObjects) -> None:
    before = set(objects.there)
    with held.database.write():
        pass
    assert set(objects.there) == before


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["add", "undo", "restart", "die", "compact"]), max_size=12))
def test_whatever_happens_the_next_process_finds_what_was_committed(steps: list[str]) -> None:
    objects = FakeObjects()
    held, expected = Held(objects), []
    for number, step in enumerate(steps):
        if step == "add":
            held.add(f"{number:02}")
            expected.append(f"{number:02}")
        elif step == "undo":
            with pytest.raises(ZeroDivisionError), held.database.write() as tx:
                tx.execute(repositories.insert().values(name="undone"))
                raise ZeroDivisionError
        elif step == "die":
            held.state._shipping.lost("killed")  # type: ignore[union-attr]
            held.close()
            objects.there.pop("lease")
            held = Held(objects)
        else:
            if step == "compact":
                held.state._log._size = 10**9
            held.close()
            held = Held(objects)
        assert seen(objects) == expected
    held.close()


class Gate:
    """Lets no piece through until it is opened. *waits*: somebody stands before it."""

    def __init__(self, objects: FakeObjects) -> None:
        self.waits, self._open = threading.Event(), threading.Event()
        objects.met = self._met
        self.pieces = 0

    def _met(self, request: str) -> None:
        if request.startswith("create log/"):
            self.pieces += 1
            self.waits.set()
            assert self._open.wait(30)

    def open(self) -> None:
        self._open.set()


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_nobody_reads_on_from_a_commit_that_is_not_there_yet(held: Held, objects: FakeObjects) -> None:
    gate, read = Gate(objects), []
    writer = started(lambda: held.add("new"))
    assert gate.waits.wait(30)
    reader = started(lambda: read.append(held.names()))
    reader.join(0.2)  # it must not be done, however long one waits
    assert reader.is_alive()
    gate.open()
    writer.join(30)
    reader.join(30)
    assert read == [["new"]]


def test_commits_that_wait_together_go_as_one_piece(held: Held, objects: FakeObjects) -> None:
    gate = Gate(objects)
    first = started(lambda: held.add("first"))
    assert gate.waits.wait(30)
    collected = held.state._shipping._collected  # type: ignore[union-attr]
    others = [started(lambda name=name: held.add(name)) for name in "abcdef"]
    while held.state._shipping._collected < collected + 6:  # type: ignore[union-attr]
        assert all(each.is_alive() for each in others)
    gate.open()
    for each in (first, *others):
        each.join(30)
    assert gate.pieces == 2
    assert seen(objects) == [*"abcdef", "first"]


def test_when_a_piece_cannot_be_written_nothing_more_is_done(held: Held, objects: FakeObjects) -> None:
    held.add("before")

    def away(request: str) -> None:
        raise WorldError("the network is down")

    objects.met = away
    with pytest.raises(WorldError, match=r"the network is down\. This process ends .* Run the same command again"):
        held.add("lost")
    objects.met = lambda request: None
    for again in (lambda: held.add("later"), held.names):
        with pytest.raises(WorldError, match="This process ends") as refused:
            again()
        assert not refused.value.retryable
    assert seen(objects) == ["before"]


def test_a_disk_that_fails_ends_it_as_well(held: Held, objects: FakeObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that was left out must not be followed by another."""

    def fail() -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as failing, pytest.raises(WorldError, match="Input/output error"):
        failing.setattr(held.state._files, "changes", fail)
        held.add("lost")
    with pytest.raises(WorldError, match="This process ends"):
        held.add("later")
    assert seen(objects) == []


def test_a_base_that_is_no_database_is_told(objects: FakeObjects) -> None:
    Held(objects).close()
    content, tag, at = objects.there["base/0000000000"]
    objects.there["base/0000000000"] = (content.partition(b"\n")[0] + b"\n" + zlib.compress(b"x" * 9000), tag, at)
    state = StateElsewhere(objects, {})
    with pytest.raises(WorldError, match="no copy of the state memory can be made"):
        state.look()
    state.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorldError, match="TMPDIR names another"):
        CopyFolder(tmp_path / "file" / "below")


@pytest.mark.parametrize("path", ["../bundles/x.json", "/signatures/shop/trusted", "keys.key", "documents/../keys.key"])
def test_a_file_that_has_no_business_there_is_refused(objects: FakeObjects, path: str) -> None:
    held = Held(objects)
    held.state._log.append("log", b"", 0, {path: SmallFile(0, b"hostile")})
    held.close()
    state = StateElsewhere(objects, {})
    with pytest.raises(WorldError, match="the state memory is damaged: it holds a file"):
        state.look()
    state.close()


def test_small_files_go_with_the_next_commit(held: Held, objects: FakeObjects) -> None:
    trusted = held.state.folder / "signatures" / "shop" / "trusted"
    trusted.parent.mkdir(parents=True)
    trusted.write_text("main 1")
    document = held.state.folder / "documents" / "abc"
    document.parent.mkdir()
    document.write_text("appspec")
    held.add("a")
    trusted.write_text("main 22")
    document.unlink()
    held.add("b")
    assert copied(objects, "signatures/shop/trusted") == b"main 22"
    assert copied(objects, "documents/abc") is None


def copied(objects: FakeObjects, path: str) -> bytes | None:
    state = StateElsewhere(objects, {})
    state.look()
    file = state.folder / path
    try:
        return file.read_bytes() if file.exists() else None
    finally:
        state.close()


def test_a_bundle_is_there_before_the_commit_that_may_need_it(held: Held, objects: FakeObjects) -> None:
    content = b"a bundle"
    name = f"{hashlib.sha256(content).hexdigest()}.tar"
    folder = held.state.folder / "bundles"
    folder.mkdir()
    (folder / name).write_bytes(content)
    (folder / f"{name}.json").write_text("{}")
    asked: list[str] = []
    objects.met = asked.append
    held.add("a")
    creations = [each.split("/")[0] for each in asked if each.startswith("create")]
    assert creations == ["create bundles", "create log"]
    (folder / name).unlink()
    assert held.state.bring_bundle(folder / name)
    assert (folder / name).read_bytes() == content
    objects.there[f"bundles/{name}"] = (b"spoilt", "0", 0)
    (folder / name).unlink()
    assert not held.state.bring_bundle(folder / name)
    assert list(folder.glob("*.tar")) == []


def test_bundles_that_the_cache_gave_up_go_with_a_new_base(objects: FakeObjects) -> None:
    held = Held(objects)
    objects.create("bundles/old.tar", b"")
    held.state._log._size = 10**9
    held.close()
    assert not objects.names("bundles/")


def test_the_store_says_by_what_name_people_know_it(objects: FakeObjects) -> None:
    held = Held(objects)
    with held.database.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    held.close()
    state = StateElsewhere(objects, {})
    state.look()
    with pytest.raises(WorldError, match="s3://acme/shop was written by a newer Penstock"):
        Store(state.folder, PIPELINE, called="s3://acme/shop")
    state.close()


def test_a_log_that_cannot_be_shortened_is_only_longer(objects: FakeObjects) -> None:
    held = Held(objects)
    held.add("a")

    def no_removing(request: str) -> None:
        if request.startswith("remove"):
            raise WorldError("AccessDenied", retryable=False)

    objects.met = no_removing
    held.state._log._size = 10**9
    held.close()
    objects.met = lambda request: None
    assert seen(objects) == ["a"]
    Held(objects).close()
