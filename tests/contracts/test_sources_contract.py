"""What all sources promise, on the fake and on the real ones: real git, a real moto server."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import moto_server
import pytest
from archives import APPSPEC, tgz_of
from fakes.repository import FakeRepository
from fakes.sources import FakeSources
from gitserver import Origin

from runner.config import RepositoryConfig
from runner.errors import InvalidRevision, RevisionDoesNotExist, UserError
from runner.model.revision import (
    AppSpecRevision,
    GitHubRevision,
    GitRevision,
    ImageRevision,
    S3Location,
    S3Revision,
)
from runner.ports import Sources
from runner.sources.all import AllSources

BUCKET, KEY = "releases", "shop.tgz"


class World(ABC):
    """Sources, and the people who feed them."""

    sources: Sources

    @abstractmethod
    def push(self, files: Mapping[str, bytes]) -> str: ...

    @abstractmethod
    def upload(self, files: Mapping[str, bytes], *, versioned: bool = False) -> str: ...

    @abstractmethod
    def upload_document(self, text: bytes) -> None:
        """As `appspec.yaml`."""

    @abstractmethod
    def lose_repository(self) -> None: ...


class FakeWorld(World):
    def __init__(self, folder: Path, endpoint: str) -> None:
        self.shop = FakeRepository("shop")
        self.fake = FakeSources([self.shop])
        self.sources = self.fake

    def push(self, files: Mapping[str, bytes]) -> str:
        return self.shop.push(dict(files))

    def upload(self, files: Mapping[str, bytes], *, versioned: bool = False) -> str:
        return self.fake.put(BUCKET, KEY, files, versioned=versioned)

    def upload_document(self, text: bytes) -> None:
        self.fake.put(BUCKET, "appspec.yaml", {"appspec.yaml": text})

    def lose_repository(self) -> None:
        from runner.errors import WorldError

        self.shop.trouble = WorldError("gone")


class RealWorld(World):
    def __init__(self, folder: Path, endpoint: str) -> None:
        self.origin = Origin(folder / "origin")
        configured = (RepositoryConfig(name="shop", url=str(self.origin.path)),)
        self.sources = AllSources(configured, folder / "state")
        moto_server.reset(endpoint)
        self.client: Any = boto3.client("s3", endpoint_url=endpoint)
        self.client.create_bucket(Bucket=BUCKET)

    def push(self, files: Mapping[str, bytes]) -> str:
        return self.origin.commit(files)

    def upload(self, files: Mapping[str, bytes], *, versioned: bool = False) -> str:
        if versioned:
            enabled = {"Status": "Enabled"}
            self.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
        etag: str = self.client.put_object(Bucket=BUCKET, Key=KEY, Body=tgz_of(files))["ETag"]
        return etag.strip('"')

    def upload_document(self, text: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key="appspec.yaml", Body=text)

    def lose_repository(self) -> None:
        self.origin.path.rename(self.origin.path.with_name("moved"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server.running_moto() as url:
        yield url


@pytest.fixture(params=[FakeWorld, RealWorld], ids=["fake", "real"])
def world(request: pytest.FixtureRequest, tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in moto_server.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    made: World = request.param(tmp_path, endpoint)
    return made


def at(**changes: Any) -> S3Location:
    return S3Location(**({"bucket": BUCKET, "key": KEY, "bundle_type": "tgz"} | changes))


def test_an_unknown_repository_is_the_users_mistake(world: World) -> None:
    assert world.sources.repository("shop").name == "shop"
    with pytest.raises(UserError, match="shoe"):
        world.sources.repository("shoe")


def test_a_commit_is_fetched_and_read(world: World) -> None:
    commit_id = world.push(APPSPEC)
    bundle = world.sources.fetch(GitRevision(repository="shop", commit_id=commit_id))
    assert bundle.bundle_type == "tar"
    assert world.sources.read(bundle, "appspec.yml") == APPSPEC["appspec.yml"]
    assert world.sources.read(bundle, "nothing") is None


def test_only_the_applications_root_is_in_its_bundle(world: World) -> None:
    commit_id = world.push({"shop/appspec.yml": b"shop", "till/appspec.yml": b"till"})
    bundle = world.sources.fetch(GitRevision(repository="shop", commit_id=commit_id, root="till"))
    assert world.sources.read(bundle, "appspec.yml") == b"till"
    with pytest.raises(InvalidRevision, match="nowhere"):
        world.sources.fetch(GitRevision(repository="shop", commit_id=commit_id, root="nowhere"))


def test_a_missing_commit_does_not_exist(world: World) -> None:
    world.push(APPSPEC)
    with pytest.raises(RevisionDoesNotExist):
        world.sources.fetch(GitRevision(repository="shop", commit_id="0123456789" * 4))


def test_what_was_fetched_once_needs_no_repository_any_more(world: World) -> None:
    revision = GitRevision(repository="shop", commit_id=world.push(APPSPEC))
    bundle = world.sources.fetch(revision)
    world.lose_repository()
    assert world.sources.fetch(revision) == bundle


def test_an_object_is_pinned_fetched_and_read(world: World) -> None:
    etag = world.upload(APPSPEC)
    revision = world.sources.resolve(at(), "1" * 40)
    assert (revision.etag, revision.version, revision.commit_id) == (etag, None, "1" * 40)
    bundle = world.sources.fetch(revision)
    assert bundle.bundle_type == "tgz"
    assert world.sources.read(bundle, "web/index.html") == b"hello"
    assert world.sources.fetch(revision) == bundle


def test_a_changed_object_is_refused(world: World) -> None:
    etag = world.upload(APPSPEC)
    revision = world.sources.resolve(at(etag=etag), None)
    world.upload({"appspec.yml": b"another"})
    with pytest.raises(InvalidRevision, match=f"expected ETag {etag}, found"):
        world.sources.fetch(revision)
    with pytest.raises(InvalidRevision, match=f"expected ETag {etag}, found"):
        world.sources.resolve(at(etag=etag), None)


def test_a_version_is_held(world: World) -> None:
    world.upload(APPSPEC, versioned=True)
    revision = world.sources.resolve(at(pin="version"), None)
    assert revision.version
    world.upload({"appspec.yml": b"another"}, versioned=True)
    assert world.sources.read(world.sources.fetch(revision), "appspec.yml") == APPSPEC["appspec.yml"]
    assert world.sources.resolve(at(version=revision.version), None) == revision


def test_a_version_pin_without_versions_is_refused(world: World) -> None:
    world.upload(APPSPEC)
    with pytest.raises(InvalidRevision, match="has no version"):
        world.sources.resolve(at(pin="version"), None)


def test_an_object_without_a_pin_is_what_it_is_now(world: World) -> None:
    etag = world.upload(APPSPEC)
    bare = S3Revision(bucket=BUCKET, key=KEY, bundle_type="tgz")
    pinned = world.sources.pin(bare)
    assert pinned == S3Revision(bucket=BUCKET, key=KEY, bundle_type="tgz", etag=etag)
    assert world.sources.pin(pinned) == pinned
    assert world.sources.fetch(bare) == world.sources.fetch(pinned)
    assert world.sources.read(world.sources.fetch(pinned), "appspec.yml") == APPSPEC["appspec.yml"]


def test_an_object_without_a_pin_is_held_by_its_version_where_it_has_one(world: World) -> None:
    world.upload(APPSPEC, versioned=True)
    bare = S3Revision(bucket=BUCKET, key=KEY, bundle_type="tgz")
    first = world.sources.pin(bare)
    world.upload({**APPSPEC, "new": b""}, versioned=True)
    assert isinstance(first, S3Revision)
    by_version = S3Revision(bucket=BUCKET, key=KEY, bundle_type="tgz", version=first.version)
    assert world.sources.pin(by_version) == first != world.sources.pin(bare)
    assert world.sources.read(world.sources.fetch(first), "new") is None


def test_a_commit_is_pinned_by_itself(world: World) -> None:
    commit = GitRevision(repository="shop", commit_id="1" * 40)
    assert world.sources.pin(commit) == commit
    github = GitHubRevision(repository="acme/shop", commit_id="1" * 40)
    assert world.sources.pin(github) == github


def test_nothing_can_be_pinned_that_is_not_there(world: World) -> None:
    with pytest.raises(RevisionDoesNotExist):
        world.sources.pin(S3Revision(bucket=BUCKET, key=KEY, bundle_type="tgz"))


def test_a_missing_object_does_not_exist(world: World) -> None:
    for missing in (at(), at(bucket="nowhere")):
        with pytest.raises(RevisionDoesNotExist):
            world.sources.resolve(missing, None)


def test_a_single_top_folder_with_the_appspec_is_looked_through(world: World) -> None:
    world.upload({f"shop-1.2/{name}": content for name, content in APPSPEC.items()})
    bundle = world.sources.fetch(world.sources.resolve(at(), None))
    assert world.sources.read(bundle, "appspec.yml") == APPSPEC["appspec.yml"]


def test_an_appspec_is_its_own_document(world: World) -> None:
    revision = AppSpecRevision(content="version: 0.0", sha256="0" * 64)
    assert world.sources.document(revision, "ignored") == ("AppSpecContent", b"version: 0.0")


def test_a_document_of_a_commit_is_read_below_the_applications_root_and_needs_no_repository_afterwards(
    world: World,
) -> None:
    commit_id = world.push({"api/ecs/task.json": b"{}", "ecs/task.json": b"[]"})
    revision = GitRevision(repository="shop", commit_id=commit_id, root="api")
    image = ImageRevision(
        repository="r/api", tag="1", digest=f"sha256:{'0' * 64}", commit_id=commit_id, git="shop", root="api"
    )
    assert world.sources.document(revision, "ecs/task.json") == ("ecs/task.json", b"{}")
    world.lose_repository()
    assert world.sources.document(revision, "ecs/task.json") == ("ecs/task.json", b"{}")
    assert world.sources.document(image, "ecs/task.json") == ("ecs/task.json", b"{}")


def test_a_document_that_the_commit_does_not_hold_is_refused(world: World) -> None:
    revision = GitRevision(repository="shop", commit_id=world.push(APPSPEC))
    with pytest.raises(InvalidRevision, match=r"holds no file ecs/task\.json"):
        world.sources.document(revision, "ecs/task.json")


def test_a_document_in_s3_is_the_object_that_was_pinned(world: World) -> None:
    world.upload_document(b"version: 0.0\n")
    named = S3Revision(bucket=BUCKET, key="appspec.yaml", bundle_type="YAML")
    pinned = world.sources.pin(named)
    assert world.sources.document(pinned, "ignored") == ("appspec.yaml", b"version: 0.0\n")
    world.upload_document(b"version: 0.1\n")
    assert world.sources.document(named, "ignored") == ("appspec.yaml", b"version: 0.1\n")


def test_a_document_in_s3_that_changed_before_it_was_read_is_refused(world: World) -> None:
    world.upload_document(b"version: 0.0\n")
    pinned = world.sources.pin(S3Revision(bucket=BUCKET, key="appspec.yaml", bundle_type="YAML"))
    world.upload_document(b"version: 0.1\n")
    with pytest.raises(InvalidRevision, match="expected ETag"):
        world.sources.document(pinned, "ignored")


def test_an_archive_is_no_document(world: World) -> None:
    world.upload(APPSPEC)
    with pytest.raises(InvalidRevision, match="archive"):
        world.sources.document(S3Revision(bucket=BUCKET, key=KEY, bundle_type="tgz"), "appspec.yml")


def test_a_signature_that_is_demanded_needs_somebody_who_may_sign(world: World) -> None:
    commit = world.push(APPSPEC)
    assert not world.sources.judge("shop", commit)
    with pytest.raises(InvalidRevision):
        world.sources.judge("shop", commit, demanded=True)
