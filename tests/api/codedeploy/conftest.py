from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_rig import Catalog, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Catalog]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """For calls that are refused, and so leave it as it is."""
    with serving(tmp_path_factory.mktemp("shared")) as made:
        made.application()
        made.application("containers", computePlatform="ECS")
        yield made
