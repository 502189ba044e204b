"""The servers that the tests of sources share: started once."""

from collections.abc import Iterator

import pytest
from gitserver import Authority, HttpServer, Shop, SshServer, authority, http_server, ssh_server
from moto_server import environment, running_moto
from s3_proxy import Proxy, running_proxy


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("repositories"))


@pytest.fixture(scope="session")
def http(shop: Shop) -> Iterator[HttpServer]:
    with http_server(shop.folder) as server:
        yield server


@pytest.fixture(scope="session")
def private_http(shop: Shop) -> Iterator[HttpServer]:
    with http_server(shop.folder, user=("ada", "s3cret-Word")) as server:
        yield server


@pytest.fixture(scope="session")
def own_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def https(shop: Shop, own_authority: Authority) -> Iterator[HttpServer]:
    with http_server(shop.folder, certificate=own_authority.certificate) as server:
        yield server


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture(scope="session")
def proxy() -> Iterator[Proxy]:
    with running_moto() as moto, running_proxy(moto) as running:
        yield running


@pytest.fixture
def s3(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """S3 for this test: empty, and every AWS client of the process goes there."""
    proxy.reset()
    for name, value in environment(proxy.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return proxy
