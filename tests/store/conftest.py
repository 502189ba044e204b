from pathlib import Path

import pytest
from store_cases import World


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path)
    yield made
    made.store.close()
