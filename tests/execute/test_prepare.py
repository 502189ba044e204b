"""Getting ready: what an open revision means now, which AppSpec counts, and what cannot be deployed."""

import datetime as dt
from collections.abc import Sequence

import pytest
from fakes.sources import FakeSources
from store_cases import group

from runner.errors import AgentsNotServed
from runner.execute.prepare import Check, prepare
from runner.model.deployment import Deployment, DeploymentStatus
from runner.model.manifest import GroupSettings
from runner.model.revision import AppSpecRevision, Revision, S3Revision
from runner.model.target import Host
from runner.model.work import PreparationFailed, Prepared

SPEC = b"version: 0.0\nos: linux\n"
OPEN = S3Revision(bucket="b", key="k", bundle_type="zip")


def prepared(
    sources: FakeSources,
    what: Revision,
    *,
    pinned: Revision | None = None,
    appspec: str = "appspec.yml",
    check: Check = lambda hosts, settings: None,
) -> Prepared | PreparationFailed:
    deployment = Deployment(
        id="d-000000001",
        application="shop",
        group="production",
        group_id="g",
        revision=what,
        pinned=pinned,
        appspec=appspec,
        settings=group("production"),
        creator="user",
        status=DeploymentStatus.QUEUED,
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    hosts = (Host(name="a", tags={"stage": "production"}),)
    return prepare(deployment, sources, lambda: hosts, check)


def test_an_open_revision_is_pinned_to_what_is_there_now():
    sources = FakeSources()
    etag = sources.put("b", "k", {"appspec.yml": SPEC}, versioned=True)
    done = prepared(sources, OPEN)
    assert isinstance(done, Prepared)
    assert done.pinned == S3Revision(bucket="b", key="k", bundle_type="zip", etag=etag, version="version-1")


def test_what_was_pinned_before_is_fetched_whatever_is_there_now():
    sources = FakeSources()
    etag = sources.put("b", "k", {"appspec.yml": SPEC}, versioned=True)
    sources.put("b", "k", {"appspec.yml": SPEC, "new": b""}, versioned=True)
    first = S3Revision(bucket="b", key="k", bundle_type="zip", etag=etag, version="version-1")
    done = prepared(sources, OPEN, pinned=first)
    assert isinstance(done, Prepared)
    assert (done.pinned, sources.fetched) == (first, [first])


def test_a_pinned_revision_needs_no_further_pin():
    sources = FakeSources()
    etag = sources.put("b", "k", {"appspec.yml": SPEC})
    done = prepared(sources, S3Revision(bucket="b", key="k", bundle_type="zip", etag=etag))
    assert isinstance(done, Prepared)
    assert done.pinned is None


@pytest.mark.parametrize(
    ("files", "file"),
    [
        ({"appspec.yaml": SPEC}, "appspec.yaml"),
        ({"appspec.yml": SPEC, "appspec.yaml": b"no"}, None),
    ],
)
def test_appspec_yaml_is_taken_where_there_is_no_yml(files: dict[str, bytes], file: str | None):
    sources = FakeSources()
    sources.put("b", "k", files)
    done = prepared(sources, OPEN)
    assert isinstance(done, Prepared)
    assert done.appspec_file == file


def test_nothing_stands_in_for_an_appspec_that_was_named():
    sources = FakeSources()
    sources.put("b", "k", {"appspec.yaml": SPEC})
    done = prepared(sources, OPEN, appspec="deploy/spec.yml")
    assert isinstance(done, PreparationFailed)
    assert (done.error.code, done.error.message) == ("INVALID_REVISION", "s3://b/k holds no deploy/spec.yml")


def test_an_object_that_is_not_there_fails_the_deployment_with_its_name():
    done = prepared(FakeSources(), OPEN)
    assert isinstance(done, PreparationFailed)
    assert done.error.code == "INVALID_REVISION"
    assert "s3://b/k" in done.error.message


def test_an_appspec_alone_is_no_bundle_for_servers():
    done = prepared(FakeSources(), AppSpecRevision(content="version: 0.0", sha256="0" * 64))
    assert isinstance(done, PreparationFailed)
    assert done.error.code == "INVALID_REVISION"


def test_hosts_that_cannot_be_reached_are_told_before_anything_is_fetched():
    def refuse(hosts: Sequence[Host], settings: GroupSettings) -> None:
        raise AgentsNotServed(f"{hosts[0].name} has an agent")

    sources = FakeSources()
    sources.put("b", "k", {"appspec.yml": SPEC})
    done = prepared(sources, OPEN, check=refuse)
    assert isinstance(done, PreparationFailed)
    assert (done.error.code, done.error.message) == ("AGENT_ISSUE", "a has an agent")
    assert sources.fetched == []
