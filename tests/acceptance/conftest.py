"""The real program, started by the forge, on a real repository and local hosts whose hooks keep records of their own."""

from pathlib import Path

import pytest
from acceptance_cases import Forge, Site, shared_forge
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def forge() -> Forge:
    return shared_forge()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
