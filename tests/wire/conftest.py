"""What the tests over the wire share: S3, and one Penstock for each file."""

from collections.abc import Iterator

import pytest
from moto_server import reset, running_moto
from wire_world import WireWorld


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with running_moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def world(moto: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireWorld]:
    reset(moto)
    with WireWorld(tmp_path_factory.mktemp("world"), moto) as made:
        yield made
