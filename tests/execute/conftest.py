"""What the tests of blue/green deployments on servers share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_rollouts import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()
