"""The cloud that all tests of a process share. In a conftest.py:

    from support.fixtures import aws, shared_cloud      # noqa: F401 - fixtures

`aws` is empty at the start of each test, and in its environment every AWS client of the test's process goes there.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.cloud import Cloud, cloud

_running: list[tuple[Cloud, ExitStack]] = []
_users = 0


@pytest.fixture(scope="session")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One for the whole session, however many folders' conftest.py import this."""
    global _users
    _users += 1
    try:
        yield _started(tmp_path_factory.mktemp("cloud"))
    finally:
        _users -= 1
        if not _users:
            _, stack = _running.pop()
            stack.close()


@pytest.fixture
def aws(shared_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    shared_cloud.reset()
    for name, value in shared_cloud.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return shared_cloud


def _started(folder: Path) -> Cloud:
    if not _running:
        stack = ExitStack()
        _running.append((stack.enter_context(cloud(folder)), stack))
    return _running[0][0]
