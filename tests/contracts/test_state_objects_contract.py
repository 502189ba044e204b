"""What the log of a state needs of whoever keeps it, asked of S3 (moto), a real PostgreSQL, and the fake."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from fakes.state_objects import FakeObjects
from postgresql_server import running_postgresql
from support.cloud import Cloud

from runner.errors import UserError
from runner.ports.state_objects import StateObjects
from runner.store.elsewhere import s3
from runner.store.elsewhere.address import objects_at


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgresql() as server:
        yield server.new_database("penstock")


@pytest.fixture(params=["s3", "postgresql", "fake"])
def objects(request: pytest.FixtureRequest) -> Iterator[StateObjects]:
    made: StateObjects
    if request.param == "fake":
        made = FakeObjects()
    elif request.param == "s3":
        request.getfixturevalue("aws")
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="acme-state")
        made = objects_at("s3://acme-state/shop")
    else:
        made = objects_at(request.getfixturevalue("database"))
        made.remove(made.names(""))
    yield made
    made.close()


def test_a_name_is_created_once(objects: StateObjects) -> None:
    assert objects.create("log/1", b"ours") is not None
    assert objects.create("log/1", b"theirs") is None
    found = objects.find("log/1")
    assert found is not None and found.content == b"ours"


def test_of_many_who_create_a_name_at_once_one_does(objects: StateObjects) -> None:
    together = threading.Barrier(8)

    def create(number: int) -> bool:
        together.wait(30)
        return objects.create("log/1", str(number).encode()) is not None

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(8)))
    assert made.count(True) == 1
    found = objects.find("log/1")
    assert found is not None and found.content == str(made.index(True)).encode()


def test_what_is_there_is_replaced_by_who_knows_its_tag(objects: StateObjects) -> None:
    first = objects.create("lease", b"first")
    assert first is not None
    second = objects.replace("lease", b"second", first)
    assert second is not None and second != first
    assert objects.replace("lease", b"third", first) is None
    assert objects.replace("lease", b"third", '"0"') is None
    found = objects.find("lease")
    assert found is not None
    assert (found.content, found.tag) == (b"second", second)


def test_nothing_is_replaced_that_is_not_there(objects: StateObjects) -> None:
    tag = objects.create("lease", b"first")
    objects.remove(["lease"])
    assert tag is not None
    assert objects.replace("lease", b"second", tag) is None
    assert objects.find("lease") is None


def test_names_are_in_order_by_prefix_and_from_a_name_on(objects: StateObjects) -> None:
    for name in ("log/0000000010", "log/0000000009", "base/0000000000", "log/0000000011", "lease", "bundles/Aa.tar"):
        objects.create(name, b"")
    assert objects.names("log/") == ["log/0000000009", "log/0000000010", "log/0000000011"]
    assert objects.names("log/", after="log/0000000009") == ["log/0000000010", "log/0000000011"]
    assert objects.names("log/", after="log/0000000011") == []
    assert objects.names("bundles/") == ["bundles/Aa.tar"]


def test_more_names_than_one_answer_holds_are_told_and_removed(
    objects: StateObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PAGE", 10)
    for number in range(23):
        objects.create(f"log/{number:010}", b"")
    assert len(objects.names("log/")) == 23
    assert len(objects.names("log/", after="log/0000000004")) == 18
    objects.remove(objects.names("log/"))
    assert objects.names("log/") == []


def test_removing_what_is_not_there_is_no_error(objects: StateObjects) -> None:
    objects.remove(["log/1"])
    objects.remove([])


def test_any_bytes_come_back_with_their_age(objects: StateObjects) -> None:
    content = bytes(range(256)) * 5000
    objects.create("bundles/a.tar", content)
    found = objects.find("bundles/a.tar")
    assert found is not None
    assert found.content == content
    assert 0 <= found.age < 60


def test_nothing_is_there_at_first(objects: StateObjects) -> None:
    assert objects.find("lease") is None
    assert objects.names("") == []


def test_the_address_says_where_and_holds_no_password(objects: StateObjects) -> None:
    assert objects.address.startswith(("s3://acme-state/shop", "postgresql://shop@127.0.0.1:", "memory"))
    assert "s3cr3t" not in objects.address


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://bucket/a b", "s3://a?x=1", "postgresql://u:hidden@[h/db"])
def test_an_address_that_does_not_read_as_one_is_the_users_mistake(url: str) -> None:
    with pytest.raises(UserError) as refused:
        objects_at(url)
    assert "hidden" not in refused.value.message


def test_keys_of_one_prefix_are_not_seen_by_another(aws: Cloud) -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="acme-state")
    one, other = objects_at("s3://acme-state/shop"), objects_at("s3://acme-state/shop2/")
    one.create("lease", b"")
    assert other.names("") == []
    assert objects_at("s3://acme-state").names("") == ["shop/lease"]
