"""Single files of revisions, kept on disk."""

import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from s3_proxy import Proxy

from runner.errors import InvalidRevision, WorldError
from runner.model.revision import AppSpecRevision, S3Revision
from runner.sources.all import AllSources
from runner.sources.documents import LONGEST, Documents


@pytest.fixture
def client(s3: Proxy) -> Any:
    made = boto3.client("s3", endpoint_url=s3.target)
    made.create_bucket(Bucket="releases")
    return made


def test_a_document_is_brought_once(tmp_path: Path) -> None:
    brought: list[bytes] = []

    def bring() -> bytes:
        brought.append(b"text")
        return b"text"

    for _ in range(2):
        assert Documents(tmp_path / "documents").get("this one", bring) == b"text"
    assert len(brought) == 1
    assert Documents(tmp_path / "documents").get("another", lambda: b"other") == b"other"


def test_those_that_nobody_used_for_longest_go(tmp_path: Path) -> None:
    documents = Documents(tmp_path, kept=3)
    for number in range(3):
        documents.get(f"{number}", lambda: b"text")
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    documents.get("1", lambda: b"another")  # used
    documents.get("3", lambda: b"text")
    documents.get("4", lambda: b"text")
    assert len(list(tmp_path.iterdir())) == 3
    assert documents.get("1", lambda: b"another") == b"text"


def test_what_could_not_be_brought_is_brought_the_next_time(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise WorldError("out of reach")

    documents = Documents(tmp_path)
    with pytest.raises(WorldError):
        documents.get("this one", fail)
    assert documents.get("this one", lambda: b"text") == b"text"


def test_nothing_longer_than_people_write_is_read(tmp_path: Path) -> None:
    assert Documents(tmp_path).get("as long as it may be", lambda: b"x" * LONGEST)
    with pytest.raises(
        InvalidRevision, match=r"too long is 1,048,577 bytes long; at most 1,048,576 \(1 MiB\) are read"
    ):
        Documents(tmp_path).get("too long", lambda: b"x" * (LONGEST + 1))
    with pytest.raises(InvalidRevision, match="the AppSpec is"):
        revision = AppSpecRevision(content="x" * (LONGEST + 1), sha256="0" * 64)
        AllSources((), tmp_path).document(revision, "")


def test_an_object_that_is_too_long_is_not_downloaded(client: Any, s3: Proxy, tmp_path: Path) -> None:
    client.put_object(Bucket="releases", Key="appspec.json", Body=b"x" * (LONGEST + 1))
    revision = S3Revision(bucket="releases", key="appspec.json", bundle_type="JSON")
    with pytest.raises(InvalidRevision, match="is 1,048,577 bytes long; a document may have 1,048,576"):
        AllSources((), tmp_path).document(revision, "")


def test_a_folder_that_cannot_be_written_is_the_worlds_failure(tmp_path: Path) -> None:
    (tmp_path / "documents").write_text("in the way")
    with pytest.raises(WorldError, match="cannot be used"):
        Documents(tmp_path / "documents").get("this one", lambda: b"text")
