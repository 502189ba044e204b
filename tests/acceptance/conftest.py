"""The real program, started by the forge, on a real repository and local hosts whose hooks keep records of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_cases import Forge, Site
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    made = Forge()
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
