"""The promise of recovery for state in S3: `penstock sync` is killed, frozen, and left without answers, at every request.

What the hosts themselves have recorded says whether a script ran twice or not at all.
"""

from collections.abc import Iterator
from pathlib import Path

import moto_server
import processes
import pytest
from acceptance_cases import Forge, Site, wait_until
from s3_proxy import Proxy, running_proxy
from state_rig import S3Rig, go_on, stop

SHARDS = 4
NOT_BEGUN = 12  # requests before the first piece that a process can be frozen at: until then it has done nothing


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with moto_server.running_moto() as moto, running_proxy(moto) as proxy:
        yield proxy


@pytest.fixture
def rig(forge: Forge, tmp_path: Path, proxy: Proxy) -> Iterator[S3Rig]:
    site = Site(tmp_path, production=1)
    site.commit("first")
    made = S3Rig(forge, site, proxy)
    yield made
    made.close()


def undisturbed(rig: S3Rig) -> tuple[int, object, object]:
    """How many requests one run takes; what the hosts and the state say then."""
    assert rig.sync() == 0, rig.said()
    asked = len(rig.proxy.asked)
    return asked, rig.records(), rig.outcome()


def killed_at(rig: S3Rig, number: int, *, forwarded: bool) -> bool:
    """Kill a first run at that request, and let a second one carry on to the end. False: it had ended before."""
    rig.afresh()
    running: list[int] = []

    def kill() -> None:
        wait_until(lambda: running, "the number of the process")
        processes.kill(running[0])
        wait_until(lambda: not processes.is_running(running[0]), "its end")

    rig.at(number, forwarded=forwarded, do=kill)
    running.append(rig.start())
    status = rig.wait(running[0])
    assert status in (-9, 0), rig.said()
    rig.proxy.hear_everything()
    rig.let_a_minute_pass()
    assert rig.sync() == 0, rig.said()
    return status == -9


def sweep(rig: S3Rig, numbers: range) -> None:
    asked, records, outcome = undisturbed(rig)
    assert asked > 30
    for number in (each for each in numbers if each <= asked):
        for forwarded in (False, True):
            killed = killed_at(rig, number, forwarded=forwarded)
            # Commits that wait together go as one, so that another run may have some requests fewer.
            assert killed or number > asked - 5, f"request {number} of {asked} was not reached"
            where = f"killed {'after' if forwarded else 'before'} request {number}\n{rig.said()}"
            assert rig.records() == records, where
            assert rig.outcome() == outcome, where


def test_a_killed_run_is_carried_on_with_by_the_next(rig: S3Rig) -> None:
    """A sample; the test after this one leaves nothing out."""
    sweep(rig, range(15, 28, 12))


@pytest.mark.sweep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_before_and_after_every_request(rig: S3Rig, shard: int) -> None:
    sweep(rig, range(1 + shard, 1000, SHARDS))


def test_answers_that_are_lost_make_no_difference(rig: S3Rig) -> None:
    """Every PUT of a piece has arrived and seems not to have, once."""
    _, records, outcome = undisturbed(rig)
    rig.afresh()
    lost: set[str] = set()

    def lose(asked: str) -> bool:
        if not asked.startswith("PUT ") or asked in lost:
            return True
        lost.add(asked)
        return False

    rig.proxy.after = lose
    assert rig.sync() == 0, rig.said()
    assert len(lost) > 20
    assert (rig.records(), rig.outcome()) == (records, outcome)


@pytest.mark.parametrize("forwarded", [False, True])
def test_a_frozen_run_that_wakes_up_after_another_took_over_does_nothing_more(rig: S3Rig, forwarded: bool) -> None:
    asked, records, outcome = undisturbed(rig)
    rig.afresh()
    frozen: list[int] = []

    def freeze() -> None:
        wait_until(lambda: frozen, "the number of the process")
        stop(frozen[0])

    middle = (NOT_BEGUN + asked) // 2
    rig.at(middle, forwarded=forwarded, do=freeze)
    frozen.append(rig.start(name="frozen"))
    try:
        wait_until(lambda: len(rig.proxy.asked) >= middle and is_stopped(frozen[0]), "the freeze")
        rig.let_a_minute_pass()
        assert rig.sync() == 0, rig.said()
        assert (rig.records(), rig.outcome()) == (records, outcome)
    finally:
        go_on(frozen[0])
    assert rig.wait(frozen[0]) == 3
    assert "has taken over the state s3://acme-state/shop" in rig.said("frozen")
    assert "This process ends without doing anything more" in rig.said("frozen")
    assert (rig.records(), rig.outcome()) == (records, outcome)


def is_stopped(pid: int) -> bool:
    return processes.stat_of(pid)[0] == "T"


def test_of_two_at_once_the_second_leaves_or_waits_as_it_is_told(rig: S3Rig) -> None:
    held = rig.site.hosts / "staging-1" / "held"
    held.touch()
    first = rig.start(name="first")
    wait_until(lambda: "BeforeInstall begins" in str(rig.records()), "the first script", log=rig.site.place / "first")
    assert rig.sync("--busy", "leave", name="second") == 75
    assert "already drives the state s3://acme-state/shop; leaving it to that one" in rig.said("second")
    third = rig.start("sync", name="third")
    wait_until(lambda: "waiting for it to end" in rig.said("third"), "the wait", log=rig.site.place / "third")
    held.unlink()
    assert rig.wait(first) == 0
    assert rig.wait(third) == 0
    assert all(len(record) == 8 for record in rig.records().values()), rig.records()


def test_nothing_is_left_on_the_disk(rig: S3Rig) -> None:
    assert rig.sync() == 0
    assert list(rig.temporary().iterdir()) == []


def test_what_a_killed_run_left_on_the_disk_goes_with_the_next(rig: S3Rig) -> None:
    killed_at_middle(rig)
    assert len(list(rig.temporary().iterdir())) == 1
    rig.let_a_minute_pass()
    assert rig.sync() == 0
    assert list(rig.temporary().iterdir()) == []


def killed_at_middle(rig: S3Rig) -> None:
    running: list[int] = []

    def kill() -> None:
        wait_until(lambda: running, "the number of the process")
        processes.kill(running[0])

    rig.at(25, forwarded=False, do=kill)
    running.append(rig.start())
    assert rig.wait(running[0]) == -9
