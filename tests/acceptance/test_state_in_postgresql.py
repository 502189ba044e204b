"""State in PostgreSQL: runs that are killed, a server that goes away, and one that comes back."""

import signal
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest
from acceptance_cases import Forge, Site, wait_until
from postgresql_server import PASSWORD, Server, running_postgresql
from state_rig import Rig

from runner.store.elsewhere.address import objects_at


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_postgresql() as server:
        yield server


class DatabaseRig(Rig):
    """With a database that is empty at first."""

    def __init__(self, forge: Forge, site: Site, server: Server) -> None:
        self.server = server
        super().__init__(forge, site, server.new_database("penstock"), {}, lambda: objects_at(self.url))

    def afresh(self) -> None:
        self.site.afresh()
        self.server.new_database("penstock")

    def pieces(self) -> int:
        objects = objects_at(self.url)
        try:
            return len(objects.names("log/"))
        finally:
            objects.close()


@pytest.fixture
def rig(forge: Forge, tmp_path: Path, server: Server) -> DatabaseRig:
    site = Site(tmp_path, production=1)
    site.commit("first")
    return DatabaseRig(forge, site, server)


def killed_after(rig: DatabaseRig, pieces: int) -> None:
    """Kill a first run once it has written so many pieces, and let a second one carry on."""
    rig.afresh()
    pid = rig.start()
    wait_until(lambda: rig.pieces() >= pieces, f"{pieces} pieces", log=rig.site.log)
    processes.kill(pid)
    assert rig.wait(pid) == -signal.SIGKILL
    rig.let_a_minute_pass()
    assert rig.sync() == 0, rig.said()


def sweep(rig: DatabaseRig, pieces: range) -> None:
    assert rig.sync() == 0, rig.said()
    records, outcome = rig.records(), rig.outcome()
    for number in pieces:
        killed_after(rig, number)
        assert (rig.records(), rig.outcome()) == (records, outcome), f"killed at {number} pieces\n{rig.said()}"
        assert PASSWORD not in rig.said()


def test_a_killed_run_is_carried_on_with_by_the_next(rig: DatabaseRig) -> None:
    """A sample. What is killed between which two requests, the same log in S3 shows exactly."""
    sweep(rig, range(6, 17, 5))


@pytest.mark.sweep
@pytest.mark.timeout(1800)
def test_killed_at_any_number_of_pieces(rig: DatabaseRig) -> None:
    sweep(rig, range(1, 20))


def test_a_server_that_is_back_after_a_moment_is_no_trouble(rig: DatabaseRig) -> None:
    held = rig.site.hosts / "staging-1" / "held"
    held.touch()
    pid = rig.start()
    wait_until(lambda: "BeforeInstall begins" in str(rig.records()), "the first script", log=rig.site.log)
    rig.server.stop()
    held.unlink()
    rig.server.start()
    assert rig.wait(pid) == 0, rig.said()
    assert all(len(record) == 8 for record in rig.records().values()), rig.records()


def test_a_run_that_was_overtaken_ends_at_its_next_write(rig: DatabaseRig) -> None:
    held = rig.site.hosts / "staging-1" / "held"
    held.touch()
    first = rig.start(name="first")
    wait_until(lambda: "BeforeInstall begins" in str(rig.records()), "the first script", log=rig.site.place / "first")
    rig.let_a_minute_pass()
    second = rig.start(name="second")
    wait_until(lambda: "taken up again" in rig.said("second"), "the takeover", log=rig.site.place / "second")
    held.unlink()
    assert rig.wait(second) == 0, rig.said("second")
    assert rig.wait(first) == 3
    assert "has taken over the state postgresql://shop@127.0.0.1:" in rig.said("first")
    assert PASSWORD not in rig.said("first") + rig.said("second")
    assert all(len(record) == 8 for record in rig.records().values()), rig.records()
