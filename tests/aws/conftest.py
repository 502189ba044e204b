"""The cloud that the tests of AWS share, and a moto as it comes, whose gaps are known."""

import functools
from collections.abc import Iterator
from typing import Any

import boto3
import moto_server
import pytest
from botocore.config import Config
from support.fixtures import aws, shared_cloud

__all__ = ["aws", "moto_url", "plain", "shared_cloud"]


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with moto_server.running_moto() as url:
        yield url


class PlainMoto:
    """moto without any correction, empty. `plain.client("lambda")` tries once."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str) -> Any:
        return _client(self.url, service)


@functools.cache
def _client(url: str, service: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    session = boto3.session.Session("test-key", "test-secret", region_name="eu-west-1")
    return session.client(service, endpoint_url=url, config=config)


@pytest.fixture
def plain(moto_url: str) -> PlainMoto:
    moto_server.reset(moto_url)
    return PlainMoto(moto_url)
