"""Who has a state: taken, renewed, given back, and lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.state_objects import FakeObjects

from runner.errors import StateFolderBusy, WorldError
from runner.store.elsewhere import lease
from runner.store.elsewhere.lease import Lease, who_has


def nobody(holder: str) -> None:
    raise AssertionError(f"lost to {holder}")


def taken(objects: FakeObjects, name: str) -> Lease:
    made = Lease(objects, name, nobody)
    made.take()
    return made


def test_the_second_is_told_who_has_it() -> None:
    objects = FakeObjects()
    first = taken(objects, "process 1 on web-1")
    assert who_has(objects) == "process 1 on web-1"
    with pytest.raises(StateFolderBusy, match="process 1 on web-1 already drives the state memory; wait"):
        taken(objects, "process 2 on web-2")
    first.release()
    assert who_has(objects) is None
    taken(objects, "process 2 on web-2").release()


def test_one_that_is_not_renewed_counts_for_a_minute() -> None:
    objects = FakeObjects()
    taken(objects, "killed").leave()
    content, tag, written_at = objects.there["lease"]
    objects.there["lease"] = (content, tag, written_at - 59)
    with pytest.raises(StateFolderBusy):
        taken(objects, "next")
    objects.there["lease"] = (content, tag, written_at - 60)
    assert who_has(objects) is None
    taken(objects, "next").release()


def test_it_is_renewed_until_it_is_given_back() -> None:
    objects = FakeObjects()
    renewed = threading.Semaphore(0)
    objects.met = lambda request: renewed.release() if request == "replace lease" else None
    held = Lease(objects, "a", nobody, renewed_every=0.001)
    held.take()
    tags = set()
    for _ in range(5):
        assert renewed.acquire(timeout=30)
        tags.add(objects.there["lease"][1])
    held.release()
    assert len(tags) > 1
    assert who_has(objects) is None


def test_a_holder_that_was_overtaken_is_told_by_whom() -> None:
    objects = FakeObjects()
    lost: list[str] = []
    told = threading.Event()

    def by(holder: str) -> None:
        lost.append(holder)
        told.set()

    first = Lease(objects, "first", by, renewed_every=0.001)
    first.take()
    with objects._lock:
        objects._put("lease", b'{"holder":"second","random":"x"}')
    assert told.wait(30)
    assert lost == ["second"]
    first.release()
    assert who_has(objects) == "second", "what another has is not given back"


def test_of_many_who_take_it_at_once_one_has_it() -> None:
    objects = FakeObjects()
    together = threading.Barrier(8)

    def take(number: int) -> bool:
        together.wait(30)
        try:
            taken(objects, str(number)).leave()
            return True
        except StateFolderBusy:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(take, range(8))).count(True) == 1


@pytest.mark.parametrize("lost", ["create lease", "replace lease"])
def test_an_answer_that_was_lost_makes_no_difference(lost: str) -> None:
    objects = FakeObjects()
    if lost == "replace lease":
        taken(objects, "before").release()
    do = {"create lease": "create", "replace lease": "replace"}[lost]
    first_try = getattr(objects, do)

    def twice(*values: object) -> str | None:
        setattr(objects, do, first_try)
        first_try(*values)
        result: str | None = first_try(*values)
        return result

    setattr(objects, do, twice)
    taken(objects, "a").release()


@pytest.mark.parametrize("ignored", ["create", "replace"])
def test_storage_that_ignores_conditions_is_refused(ignored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = FakeObjects()
    monkeypatch.setattr(objects, ignored, lambda name, content, *tag: objects._put(name, content))
    with pytest.raises(WorldError, match="ignores If-None-Match or If-Match"):
        taken(objects, "a")


def test_what_is_no_lease_is_told() -> None:
    objects = FakeObjects()
    objects.create("lease", b"hello")
    with pytest.raises(WorldError, match="lease is damaged"):
        taken(objects, "a")
    assert lease.LASTS == 60.0
