"""What the tests over the wire share: S3, one Penstock for each file, and one as a process with an AWS of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto_server import reset, running_moto
from serving import serving
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures
from wire.served import CONFIG, ServedAws
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


@pytest.fixture
def served(tmp_path: Path, aws: Cloud) -> Iterator[ServedAws]:  # noqa: F811 - the fixture
    config = tmp_path / "penstock.toml"
    config.write_text(CONFIG)
    with serving(config, tmp_path / "state", aws.environ) as running:
        yield ServedAws(running, aws)
