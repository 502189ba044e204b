"""Installing the checkout takes a minute: the first run does, as any job would, and the others take its environment."""

from pathlib import Path

import pytest
from action_cases import Job
from composite_action import Ended


class First:
    """The run that installs: a job, what became of it."""

    def __init__(self, folder: Path) -> None:
        self.job = Job(folder)
        self.ended: Ended = self.job.run()


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    return First(tmp_path_factory.mktemp("first"))


@pytest.fixture
def job(tmp_path: Path, first: First) -> Job:
    """A job of its own, on a runner where Penstock is installed."""
    return Job(tmp_path, {name: first.ended.steps[name] for name in ("python", "install")})
