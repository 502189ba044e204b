"""Revisions in S3, against a real moto server behind a proxy that counts."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from archives import APPSPEC, ARCHIVERS, tgz_of
from botocore.config import Config
from s3_proxy import Proxy

from runner.errors import InvalidRevision, RevisionDoesNotExist, WorldError
from runner.model.revision import BundleType, S3Location, S3Revision
from runner.sources.all import AllSources

OTHER = {**APPSPEC, "more": b"2"}


@pytest.fixture
def client(s3: Proxy) -> Any:
    # as older tools upload: without a checksum that S3 would store and hand out with the object
    older = Config(request_checksum_calculation="when_required")
    made = boto3.client("s3", endpoint_url=s3.target, config=older)
    made.create_bucket(Bucket="releases")
    return made


@pytest.fixture
def sources(client: Any, tmp_path: Path) -> AllSources:
    return AllSources((), tmp_path)


@pytest.fixture
def versioned(client: Any) -> Any:
    client.put_bucket_versioning(Bucket="releases", VersioningConfiguration={"Status": "Enabled"})
    return client


def location(**changes: Any) -> S3Location:
    return S3Location(**({"bucket": "releases", "key": "web/shop.tgz", "bundle_type": "tgz"} | changes))


def put(client: Any, content: bytes, **more: Any) -> Any:
    return client.put_object(Bucket="releases", Key="web/shop.tgz", Body=content, **more)


def refused(ask: Callable[[], object], kind: type[Exception] = InvalidRevision) -> str:
    with pytest.raises(kind) as caught:
        ask()
    return str(caught.value)


def test_an_object_is_pinned_by_one_head_and_no_download(s3: Proxy, client: Any, sources: AllSources) -> None:
    etag = put(client, tgz_of(APPSPEC))["ETag"].strip('"')
    revision = sources.resolve(location(), "1" * 40)
    assert revision == S3Revision(
        bucket="releases", key="web/shop.tgz", bundle_type="tgz", etag=etag, commit_id="1" * 40
    )
    assert s3.asked == ["HEAD /releases/web/shop.tgz"]


@pytest.mark.parametrize("bundle_type", ["tar", "tgz", "zip"])
def test_a_pinned_object_is_fetched_once_and_read(
    s3: Proxy, client: Any, sources: AllSources, bundle_type: BundleType
) -> None:
    put(client, ARCHIVERS[bundle_type](APPSPEC))
    revision = sources.resolve(location(bundle_type=bundle_type), None)
    bundle = sources.fetch(revision)
    assert Path(bundle.path).read_bytes() == ARCHIVERS[bundle_type](APPSPEC)
    assert sources.read(bundle, "appspec.yml") == APPSPEC["appspec.yml"]
    assert sources.fetch(revision) == bundle
    assert [request.split()[0] for request in s3.asked] == ["HEAD", "GET"]


def test_an_object_that_changed_after_it_was_pinned_is_refused(client: Any, sources: AllSources) -> None:
    before = put(client, tgz_of(APPSPEC))["ETag"].strip('"')
    revision = sources.resolve(location(), None)
    after = put(client, tgz_of(OTHER))["ETag"].strip('"')
    assert f"expected ETag {before}, found {after}" in refused(lambda: sources.fetch(revision))


def test_an_object_that_changed_may_still_be_deployed_from_the_cache(client: Any, sources: AllSources) -> None:
    put(client, tgz_of(APPSPEC))
    revision = sources.resolve(location(), None)
    bundle = sources.fetch(revision)
    client.delete_object(Bucket="releases", Key="web/shop.tgz")
    assert sources.fetch(revision) == bundle


def test_another_etag_than_the_manifest_demands_is_refused(client: Any, sources: AllSources) -> None:
    etag = put(client, tgz_of(APPSPEC))["ETag"]
    assert sources.resolve(location(etag=etag), None).etag == etag.strip('"')
    assert "expected ETag 0123" in refused(lambda: sources.resolve(location(etag="0123"), None))


def test_a_version_outlives_what_is_put_over_it(versioned: Any, sources: AllSources) -> None:
    version = put(versioned, tgz_of(APPSPEC))["VersionId"]
    revision = sources.resolve(location(pin="version"), None)
    assert revision.version == version
    put(versioned, tgz_of(OTHER))
    versioned.delete_object(Bucket="releases", Key="web/shop.tgz")
    assert Path(sources.fetch(revision).path).read_bytes() == tgz_of(APPSPEC)


def test_an_older_version_can_be_asked_for(versioned: Any, sources: AllSources) -> None:
    first = put(versioned, tgz_of(APPSPEC))
    put(versioned, tgz_of(OTHER))
    revision = sources.resolve(location(version=first["VersionId"]), None)
    assert (revision.version, revision.etag) == (first["VersionId"], first["ETag"].strip('"'))
    assert Path(sources.fetch(revision).path).read_bytes() == tgz_of(APPSPEC)


def test_by_etag_the_same_content_uploaded_again_is_the_same_revision(versioned: Any, sources: AllSources) -> None:
    put(versioned, tgz_of(APPSPEC))
    before = sources.resolve(location(), None)
    put(versioned, tgz_of(APPSPEC))
    assert sources.resolve(location(), None) == before


def test_a_version_pin_needs_a_bucket_with_versions(client: Any, sources: AllSources) -> None:
    put(client, tgz_of(APPSPEC))
    assert "has no version" in refused(lambda: sources.resolve(location(pin="version"), None))


def test_what_is_not_there_does_not_exist(versioned: Any, sources: AllSources) -> None:
    def resolve(**changes: Any) -> str:
        return refused(lambda: sources.resolve(location(**changes), None), RevisionDoesNotExist)

    assert "there is no bucket nowhere" in resolve(bucket="nowhere")
    assert "there is no s3://releases/web/shop.tgz; was it uploaded?" in resolve()
    put(versioned, tgz_of(APPSPEC))
    assert "3f1a" in resolve(version="3f1a5b8e-0000-0000-0000-000000000000")
    versioned.delete_object(Bucket="releases", Key="web/shop.tgz")
    assert "there is no s3://releases/web/shop.tgz" in resolve()


def test_an_object_that_went_away_after_it_was_pinned_does_not_exist(client: Any, sources: AllSources) -> None:
    put(client, tgz_of(APPSPEC))
    revision = sources.resolve(location(), None)
    client.delete_object(Bucket="releases", Key="web/shop.tgz")
    refused(lambda: sources.fetch(revision), RevisionDoesNotExist)


def test_an_object_uploaded_in_parts_is_held_by_its_etag(client: Any, sources: AllSources) -> None:
    upload = client.create_multipart_upload(Bucket="releases", Key="web/shop.tgz")["UploadId"]
    names = {"Bucket": "releases", "Key": "web/shop.tgz", "UploadId": upload}
    part = client.upload_part(**names, PartNumber=1, Body=tgz_of(APPSPEC))["ETag"]
    client.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    revision = sources.resolve(location(), None)
    assert revision.etag.endswith("-1")
    assert sources.read(sources.fetch(revision), "appspec.yml") == APPSPEC["appspec.yml"]


def test_an_object_encrypted_by_kms_is_not_measured_by_its_etag(s3: Proxy, client: Any, sources: AllSources) -> None:
    put(client, tgz_of(APPSPEC), ServerSideEncryption="aws:kms")
    revision = sources.resolve(location(), None)
    s3.spoil = lambda content: content[:4] + b"\1\2\3\4" + content[8:]  # the time in a gzip header: still sound
    assert sources.fetch(revision)


def test_a_download_with_a_wrong_byte_is_refused(s3: Proxy, client: Any, sources: AllSources, tmp_path: Path) -> None:
    put(client, tgz_of(APPSPEC))
    revision = sources.resolve(location(), None)
    s3.spoil = lambda content: content[:4] + b"\1\2\3\4" + content[8:]
    assert "arrived damaged" in refused(lambda: sources.fetch(revision), WorldError)
    assert list((tmp_path / "bundles" / "incoming").iterdir()) == []
    s3.spoil = None
    assert sources.fetch(revision)


def test_a_checksum_that_s3_keeps_is_compared(s3: Proxy, client: Any, sources: AllSources) -> None:
    put(client, tgz_of(APPSPEC), ChecksumAlgorithm="SHA256")
    revision = sources.resolve(location(), None)
    s3.spoil = lambda content: content[:4] + b"\1\2\3\4" + content[8:]
    assert "arrived damaged" in refused(lambda: sources.fetch(revision), WorldError)


def test_a_download_that_breaks_off_is_a_failure_of_the_world(s3: Proxy, client: Any, sources: AllSources) -> None:
    put(client, tgz_of({**APPSPEC, "big": bytes(range(256)) * 1000}))
    revision = sources.resolve(location(), None)
    s3.spoil = lambda content: content[: len(content) // 2]
    refused(lambda: sources.fetch(revision), WorldError)
    s3.spoil = None
    assert sources.fetch(revision)


def test_a_hostile_object_is_refused_by_its_label(client: Any, sources: AllSources) -> None:
    put(client, b"this is no archive")
    revision = sources.resolve(location(), None)
    assert refused(lambda: sources.fetch(revision)).startswith(f"{revision.label} cannot be deployed: ")


def test_threads_fetch_one_object_once(s3: Proxy, client: Any, sources: AllSources) -> None:
    put(client, tgz_of(APPSPEC))
    revision = sources.resolve(location(), None)
    together, got = threading.Barrier(6), []

    def work() -> None:
        together.wait(timeout=30)
        got.append(sources.fetch(revision))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(got) == 6
    assert len({bundle.sha256 for bundle in got}) == 1
    assert len([request for request in s3.asked if request.startswith("GET")]) == 1


def test_without_credentials_it_is_said_what_is_missing(sources: AllSources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    message = refused(lambda: sources.resolve(location(), None), WorldError)
    assert "no AWS credentials" in message


def test_an_endpoint_that_nobody_listens_at_is_named(sources: AllSources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    message = refused(lambda: sources.resolve(location(), None), WorldError)
    assert "S3 cannot be reached for s3://releases/web/shop.tgz" in message
    assert "127.0.0.1:9" in message


def test_an_endpoint_that_is_no_url_is_the_configurations_fault(
    sources: AllSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    assert "AWS configuration" in refused(lambda: sources.resolve(location(), None), WorldError)


def test_a_bucket_name_that_cannot_be_is_said_to_be_no_address(sources: AllSources) -> None:
    assert "no address in S3" in refused(lambda: sources.resolve(location(bucket="no bucket"), None), WorldError)


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ("AccessDenied", 403, "s3:GetObject is needed"),
        ("403", 403, "s3:GetObject is needed"),
        ("ExpiredToken", 400, "credentials were refused"),
        ("SlowDown", 503, "SlowDown"),
    ],
)
def test_what_moto_never_says_is_translated_too(code: str, status: int, says: str) -> None:
    from runner.sources.s3 import Objects

    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = Objects()._refusal(response, "releases", "web/shop.tgz", None, None)
    assert isinstance(error, WorldError)
    assert says in error.message
