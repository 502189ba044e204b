from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from host_cases import Machine


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    yield made
    await made.close()
