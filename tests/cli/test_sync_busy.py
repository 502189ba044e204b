"""`penstock sync` where another process has the state folder: it joins, waits or leaves, as it was told."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_cases import Penstock

from runner.cli import alone, exits
from runner.store.lock import driver_lock


@pytest.fixture
def shop(penstock: Penstock) -> Penstock:
    """With a repository that is configured and has a commit to deploy."""
    penstock.checkout()
    config = penstock.here / "penstock.toml"
    config.write_text(f'{config.read_text()}\n[repositories.shop]\nurl = "{penstock.here}"\n')
    penstock("status")  # makes the state folder
    return penstock


def deployed(penstock: Penstock) -> bool:
    return (penstock.here / "hosts/local/opt/shop/appspec.yml").is_file()


def test_it_leaves_with_a_status_of_its_own_and_has_looked_at_nothing(shop: Penstock) -> None:
    with driver_lock(shop.state):
        said = shop("sync", "--busy", "leave")
    assert said.status == exits.BUSY
    assert f"already drives the state folder {shop.state}; leaving it to that one" in said.err
    assert json.loads(shop("--output", "json", "status").out)["repositories"] == []
    assert shop("sync", "--busy", "leave").status == exits.FINE
    assert deployed(shop)


def test_it_waits_no_longer_than_it_was_told(shop: Penstock) -> None:
    with driver_lock(shop.state):
        said = shop("sync", "--busy", "wait", "--wait", "0s")
    assert said.status == exits.BUSY
    assert "for longer than 0s; leaving" in said.err
    assert not deployed(shop)


def test_it_looks_once_the_other_one_has_ended(shop: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with driver_lock(shop.state):
            held.set()
            assert waiting.wait(60)

    monkeypatch.setattr(alone, "time", SimpleNamespace(monotonic=time.monotonic, sleep=_Told(waiting)))
    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(60)
    said = shop("sync", "--busy", "wait", "--wait", "10m")
    other.join()
    assert said.status == exits.FINE, said.err
    assert "waiting up to 10m" in said.err
    assert deployed(shop)


class _Told:
    """A sleep that tells when somebody begins to wait."""

    def __init__(self, event: threading.Event) -> None:
        self._event, self._pause = event, threading.Event()

    def __call__(self, seconds: float) -> None:
        self._event.set()
        self._pause.wait(seconds)


def test_a_wait_that_is_no_duration_is_the_users_mistake(shop: Penstock) -> None:
    said = shop("sync", "--busy", "wait", "--wait", "soon")
    assert said.status == exits.USERS_MISTAKE
    assert "'soon' is not a duration" in said.err


def test_a_time_to_wait_without_waiting_is_the_users_mistake(shop: Penstock) -> None:
    said = shop("sync", "--wait", "10m")
    assert said.status == exits.USERS_MISTAKE
    assert "this is --busy join; add --busy wait" in said.err
    assert not deployed(shop)


def test_a_damaged_database_is_told_and_left_as_it_is(shop: Penstock) -> None:
    assert shop("sync").status == exits.FINE
    for each in shop.state.glob("penstock.db*"):
        each.unlink()
    damaged = b"not a database, " * 4096
    (shop.state / "penstock.db").write_bytes(damaged)
    said = shop("sync")
    assert said.status == exits.WORLDS_FAILURE
    assert "penstock.db is damaged" in said.err
    assert (shop.state / "penstock.db").read_bytes() == damaged


def test_a_state_folder_that_is_a_file_is_told(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = penstock("--state", str(tmp_path / "file"), "sync")
    assert said.status == exits.WORLDS_FAILURE
    assert str(tmp_path / "file") in said.err
