import time
from pathlib import Path

import pytest
from cli_cases import Penstock
from store_cases import World


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "state")
    yield made
    made.store.close()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch):
    """Times are shown in UTC, whatever this machine's zone is."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def penstock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Penstock:
    """The command line in an empty folder, with a state folder of its own."""
    here = tmp_path / "shop"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("PENSTOCK_STATE", str(tmp_path / "state"))
    return Penstock(here, tmp_path / "state", capsys)
