"""What holds for all tests."""

import asyncio
import fcntl
import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from runner import log
from runner.api.serving import listener


def pytest_collectstart() -> None:
    """Until all is collected: nothing of that is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there now stays: no search for garbage needs to look at it again."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it in the end."""
    items.sort(key=lambda each: not (each.get_closest_marker("sweep") or each.get_closest_marker("large")))


@pytest.fixture(scope="session", autouse=True)
def no_full_collection_for_each_listener() -> Iterator[None]:
    """A listener begins and ends with one, which takes a second in a process as large as that of the tests.

    tests/api/serving/test_pauses.py has the real thing, and so has every `penstock serve`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listener, "keep_short", asyncio.Event().wait)
        yield


@pytest.fixture(scope="session", autouse=True)
def aws_models_are_read_once() -> Iterator[None]:
    """botocore reads its descriptions of services, megabytes each, for every session anew, and never changes them."""
    read: dict[str, Any] = {}
    load = JSONFileLoader.load_file

    def load_file(self: JSONFileLoader, path: str) -> Any:
        if path not in read:
            read[path] = load(self, path)
        return read[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", load_file)
        yield


@pytest.fixture(autouse=True)
def log_lines_go_where_they_go_by_default() -> Iterator[None]:
    """A test that runs a command in this process sends them to a stream of its own, which ends with the test."""
    yield
    log._pending = None
    if (structlog := sys.modules.get("structlog")) is not None:
        structlog.reset_defaults()


@pytest.fixture(autouse=True)
def one_large_test_at_a_time(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Each takes a gigabyte or more of the disk for a while. Workers of one run wait for each other."""
    if request.node.get_closest_marker("large") is None:
        yield
        return
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    with (shared / "large.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
