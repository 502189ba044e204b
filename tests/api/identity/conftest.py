from collections.abc import Iterator
from pathlib import Path

import pytest
from identity_door import Door


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path / "state")
    yield made
    made.database.close()
