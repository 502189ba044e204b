"""Revisions through boto3: what tells them apart, registering, finding and listing them."""

import datetime as dt
import hashlib
from typing import Any

import pytest
from catalog_rig import Catalog, refused
from store_cases import group, manifest

from runner.api.codedeploy.wire import revision_location
from runner.model.revision import AppSpecRevision, ImageRevision, S3Revision

TEXT = '{"version": 0.0, "Resources": []}'
SHA = hashlib.sha256(TEXT.encode()).hexdigest()


def s3(key: str = "shop.zip", bucket: str = "releases", **more: str) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": bucket, "key": key, "bundleType": "zip", **more}}


def github(digit: str = "a", repository: str = "o/n") -> dict[str, Any]:
    return {"revisionType": "GitHub", "gitHubLocation": {"repository": repository, "commitId": digit * 40}}


def appspec(**members: str) -> dict[str, Any]:
    return {"revisionType": "AppSpecContent", "appSpecContent": members}


def register(server: Catalog, *revisions: dict[str, Any], application: str = "shop", **more: Any) -> None:
    for revision in revisions:
        server.client.register_application_revision(applicationName=application, revision=revision, **more)


def listed(server: Catalog, **filters: Any) -> list[dict[str, Any]]:
    """All pages."""
    found, token = [], {}
    while True:
        page = server.client.list_application_revisions(applicationName="shop", **filters, **token)
        found += page["revisions"]
        if not (token := {"nextToken": page["nextToken"]} if "nextToken" in page else {}):
            return found


def keys(revisions: list[dict[str, Any]]) -> list[str]:
    return [each["s3Location"]["key"] for each in revisions]


def test_a_registered_revision_is_found_by_all_that_it_was_given(server: Catalog) -> None:
    server.application()
    revision = s3(eTag="abc", version="v1")
    register(server, revision, description="first")
    got = server.client.get_application_revision(applicationName="shop", revision=revision)
    assert (got["applicationName"], got["revision"]) == ("shop", revision)
    info = got["revisionInfo"]
    assert (info["description"], info["deploymentGroups"]) == ("first", [])
    assert info["registerTime"].tzinfo is not None
    assert not {"firstUsedTime", "lastUsedTime"} & set(info)
    for other in (s3(), s3(eTag="abc"), s3(version="v1"), s3(eTag="abd", version="v1")):
        refused("RevisionDoesNotExist", server.client.get_application_revision, applicationName="shop", revision=other)


def test_an_etag_in_quotes_is_the_same_etag(server: Catalog) -> None:
    server.application()
    register(server, s3(eTag='"abc"'))
    got = server.client.get_application_revision(applicationName="shop", revision=s3(eTag="abc"))
    assert got["revision"] == s3(eTag="abc")


def test_registering_again_only_changes_the_description(server: Catalog) -> None:
    server.application()
    register(server, s3(), description="first")
    register(server, s3(), description="second")
    register(server, s3())
    (found,) = listed(server)
    got = server.client.get_application_revision(applicationName="shop", revision=found)
    assert got["revisionInfo"]["description"] == "second"


@pytest.mark.parametrize(
    ("code", "revision"),
    [
        ("RevisionRequired", {}),
        ("InvalidRevision", {"revisionType": "S3"}),
        ("InvalidRevision", {"s3Location": s3()["s3Location"]}),
        ("InvalidRevision", {**s3(), "gitHubLocation": github()["gitHubLocation"]}),
        ("InvalidRevision", {"revisionType": "GitHub", "s3Location": s3()["s3Location"]}),
        ("InvalidRevision", s3(bundleType="YAML")),
        ("InvalidRevision", {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k"}}),
        ("InvalidRevision", s3(key="")),
        ("InvalidRevision", github("g")),
        ("InvalidRevision", github(repository="a/b/c")),
        ("InvalidRevision", github(repository="")),
        ("InvalidRevision", {"revisionType": "GitHub", "gitHubLocation": {"repository": "o/n", "commitId": "abc1234"}}),
        ("InvalidRevision", appspec(content=TEXT)),
        ("InvalidRevision", appspec()),
    ],
)
def test_what_is_no_revision_for_servers_is_refused(shared: Catalog, code: str, revision: dict[str, Any]) -> None:
    register_it = shared.client.register_application_revision
    refused(code, register_it, applicationName="shop", revision=revision)


def test_an_appspec_is_named_by_its_digest(server: Catalog) -> None:
    server.application("shop", computePlatform="Lambda")
    register(server, appspec(content=TEXT))
    register(server, appspec(content=TEXT, sha256=SHA.upper()))
    assert listed(server) == [appspec(sha256=SHA)]
    got = server.client.get_application_revision(applicationName="shop", revision=appspec(sha256=SHA))
    assert got["revision"] == appspec(content=TEXT, sha256=SHA)
    wrong = appspec(content=TEXT, sha256="0" * 64)
    call = server.client.register_application_revision
    assert SHA in refused("InvalidRevision", call, applicationName="shop", revision=wrong)
    # The operation declares no other exception for content that is nowhere.
    refused("InvalidRevision", call, applicationName="shop", revision=appspec(sha256="0" * 64))
    refused("InvalidRevision", call, applicationName="shop", revision=s3())
    refused("InvalidRevision", call, applicationName="shop", revision=github())


def test_a_description_has_256_characters_at_most(server: Catalog) -> None:
    server.application()
    register(server, s3(), description="x" * 256)
    call = server.client.register_application_revision
    refused("DescriptionTooLong", call, applicationName="shop", revision=s3("b"), description="x" * 257)


def test_a_batch_tells_which_revisions_are_unknown(server: Catalog) -> None:
    server.application()
    register(server, s3(eTag="abc"), github())
    got = server.client.batch_get_application_revisions(
        applicationName="shop", revisions=[s3(eTag="abc"), s3(), github()]
    )
    assert [each["revisionLocation"] for each in got["revisions"]] == [s3(eTag="abc"), github()]
    assert "s3://releases/shop.zip" in got["errorMessage"]
    fine = server.client.batch_get_application_revisions(applicationName="shop", revisions=[github()])
    assert "errorMessage" not in fine
    many = [s3(str(number)) for number in range(26)]
    refused("BatchLimitExceeded", server.client.batch_get_application_revisions, applicationName="shop", revisions=many)


def test_filters_of_a_listing_are_checked(shared: Catalog) -> None:
    call = shared.client.list_application_revisions
    refused("InvalidSortBy", call, applicationName="shop", sortBy="name")
    refused("InvalidSortOrder", call, applicationName="shop", sortBy="registerTime", sortOrder="sideways")
    refused("InvalidDeployedStateFilter", call, applicationName="shop", deployed="perhaps")
    refused("InvalidBucketNameFilter", call, applicationName="shop", s3Bucket="no bucket")
    refused("InvalidKeyPrefixFilter", call, applicationName="shop", s3Bucket="bucket", s3KeyPrefix="k" * 1025)
    refused("ApplicationDoesNotExist", call, applicationName="nobody")


def test_a_listing_is_narrowed_by_bucket_and_prefix(server: Catalog) -> None:
    server.application()
    register(server, s3("web/1%.zip"), s3("web/2.zip"), s3("Web/3.zip"), s3("web/1%.zip", "other"), github())
    assert keys(listed(server, s3Bucket="releases")) == ["web/1%.zip", "web/2.zip", "Web/3.zip"]
    assert keys(listed(server, s3Bucket="releases", s3KeyPrefix="web/")) == ["web/1%.zip", "web/2.zip"]
    assert keys(listed(server, s3Bucket="releases", s3KeyPrefix="web/1%")) == ["web/1%.zip"]
    assert listed(server, s3Bucket="nobodys") == []


def test_the_revision_of_a_deployment_is_registered_and_knows_when_it_was_used(server: Catalog) -> None:
    before = server.now
    server.push("a", manifest(group("staging")))
    server.settle()
    server.push("b", manifest(group("staging"), group("other")))
    server.settle()
    server.push("a", manifest(group("other")))
    server.settle()
    infos = {
        each["revisionLocation"]["gitHubLocation"]["commitId"][0]: each["genericRevisionInfo"]
        for each in server.client.batch_get_application_revisions(
            applicationName="shop", revisions=[github("a", "shop"), github("b", "shop")]
        )["revisions"]
    }
    assert infos["a"]["deploymentGroups"] == ["other"]
    assert infos["b"]["deploymentGroups"] == ["staging"]
    assert before < infos["a"]["firstUsedTime"] < infos["b"]["firstUsedTime"] < infos["a"]["lastUsedTime"]
    by = {sort: [r["gitHubLocation"]["commitId"][0] for r in listed(server, sortBy=sort)] for sort in SORTS}
    assert by == {"registerTime": ["a", "b"], "firstUsedTime": ["a", "b"], "lastUsedTime": ["b", "a"]}


SORTS = ("registerTime", "firstUsedTime", "lastUsedTime")


def test_a_listing_tells_deployed_from_others(server: Catalog) -> None:
    server.push("a", manifest(group("staging")))
    server.settle()
    register(server, s3("new.zip"))
    assert listed(server, deployed="include") == [github("a", "shop")]
    assert listed(server, deployed="exclude") == [s3("new.zip")]
    assert len(listed(server, deployed="ignore")) == 2


@pytest.mark.parametrize("sort", [*SORTS, None])
@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_pages_are_stable_while_revisions_come_and_go(server: Catalog, sort: str | None, order: str) -> None:
    server.application()
    revisions = server.store.catalog.revisions
    times = [server.now + dt.timedelta(seconds=number // 3) for number in range(150)]  # some have the same time
    with server.store._db.write():
        for number, at in enumerate(times):
            revisions.register("shop", S3Revision(bucket="b", key=f"{number:03}", bundle_type="zip"), None, at)
            if number % 2:
                revisions.use("shop", S3Revision(bucket="b", key=f"{number:03}", bundle_type="zip"), at)
    filters = {"sortOrder": order} | ({"sortBy": sort} if sort else {})
    whole = keys(listed(server, **filters))
    assert sorted(whole) == [f"{number:03}" for number in range(150)]
    first = server.client.list_application_revisions(applicationName="shop", **filters)
    early = server.now - dt.timedelta(days=1)
    with server.store._db.write() as tx:
        for key, at in (("early", early), ("late", times[-1] + dt.timedelta(days=1))):
            revisions.register("shop", S3Revision(bucket="b", key=key, bundle_type="zip"), None, at)
            revisions.use("shop", S3Revision(bucket="b", key=key, bundle_type="zip"), at)
        tx.exec_driver_sql("DELETE FROM revisions WHERE json_extract(revision, '$.key') = ?", (whole[99],))
    rest = server.client.list_application_revisions(applicationName="shop", nextToken=first["nextToken"], **filters)
    seen = [key for key in keys(first["revisions"]) + keys(rest["revisions"]) if key not in ("early", "late")]
    assert seen == whole


def test_an_appspec_is_used_by_its_digest_once_it_is_known(server: Catalog) -> None:
    server.application(computePlatform="Lambda")
    register(server, appspec(content=TEXT))
    kept = server.store.catalog.revisions.use("shop", AppSpecRevision(content="", sha256=SHA), server.now)
    assert kept == AppSpecRevision(content=TEXT, sha256=SHA)


@pytest.mark.parametrize(("root", "repository"), [("", "shop"), ("web", "shop:web")])
def test_an_image_is_told_by_the_commit_whose_manifest_names_it(root: str, repository: str) -> None:
    digest = f"sha256:{'0' * 64}"
    image = ImageRevision(repository="r/web", tag="1", digest=digest, commit_id="a" * 40, git="shop", root=root)
    assert revision_location(image) == {
        "revisionType": "GitHub",
        "gitHubLocation": {"repository": repository, "commitId": "a" * 40},
    }
