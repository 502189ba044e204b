"""Installing the checkout takes a minute: the first run does, as any job would, and the others take its environment."""

import fcntl
import os
import pickle
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from action_cases import Job
from composite_action import Ended

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first pays for the installation."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.timeout(900))


class First(NamedTuple):
    """The run that installs: a job, and what became of it."""

    job: Job
    ended: Ended


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """Workers of one run share it."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    kept = shared / "first-job"
    with (shared / "first-job.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            job = Job(shared / "first")
            kept.write_bytes(pickle.dumps(First(job, job.run())))
        return cast("First", pickle.loads(kept.read_bytes()))


@pytest.fixture
def job(tmp_path: Path, first: First) -> Job:
    """A job of its own, on a runner where Penstock is installed."""
    return Job(tmp_path, {name: first.ended.steps[name] for name in ("python", "install")})
