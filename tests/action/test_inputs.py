from pathlib import Path

import pytest

from runner.cli.action.inputs import read
from runner.cli.action.remote import region_of
from runner.cli.action.revision import label, revision
from runner.errors import UserError

REMOTE = {"INPUT_MODE": "remote", "INPUT_APPLICATION": "shop", "INPUT_DEPLOYMENT_GROUP": "production"}


def test_inputs_that_are_empty_are_not_given() -> None:
    inputs = read({"INPUT_STATE": "here", "INPUT_CONFIG": "", "INPUT_APPLICATION": "a\n b,\n", "INPUT_MODE": " "})
    assert (inputs.mode, inputs.config, inputs.on_cancel) == ("standalone", None, "stop")
    assert inputs.state == str(Path("here").absolute())
    assert inputs.applications == ("a", "b")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"INPUT_MODE": "both"}, "standalone or remote"),
        ({}, "outlives this job"),
        ({"INPUT_STATE": "gs://bucket/prefix"}, "s3://BUCKET/PREFIX, or postgresql://"),
        ({"INPUT_STATE": "mysql://user:hidden@db/penstock"}, "s3://BUCKET/PREFIX, or postgresql://"),
        ({"INPUT_STATE": "host=db password=hidden dbname=penstock"}, "s3://BUCKET/PREFIX, or postgresql://"),
        ({"INPUT_STATE": "x", "INPUT_ENDPOINT": "https://p.example.com"}, "belongs to `mode: remote`"),
        ({"INPUT_STATE": "x", "INPUT_ON_CANCEL": "panic"}, "stop or leave"),
        ({"INPUT_STATE": "x", "INPUT_WORKING_DIRECTORY": "not/there"}, "actions/checkout"),
        ({**REMOTE, "INPUT_STATE": "x"}, "belongs to `mode: standalone`"),
        ({**REMOTE, "INPUT_DEPLOYMENT_GROUP": "a,b"}, "wants one name, and has 2"),
        ({**REMOTE, "INPUT_APPLICATION": ""}, "wants one name, and has 0"),
        ({**REMOTE, "INPUT_ENDPOINT": "penstock.example.com"}, "https://penstock.example.com:8300"),
    ],
)
def test_a_wrong_input_is_refused_with_what_works(given: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        read(given)
    assert "hidden" not in refused.value.message


def test_the_revision_is_this_commit_unless_an_object_is_named() -> None:
    github = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_SHA": "0" * 40}
    assert label(revision(read(REMOTE), github)) == f"github:acme/shop@{'0' * 40}"
    named = read({**REMOTE, "INPUT_REVISION": "s3://releases/a/shop%201.tar.gz?versionId=v1"})
    where = {"bucket": "releases", "key": "a/shop 1.tar.gz", "bundleType": "tgz", "version": "v1"}
    assert revision(named, github) == {"revisionType": "S3", "s3Location": where}


@pytest.mark.parametrize("text", ["releases/shop.zip", "s3://releases", "s3://releases/shop.exe", "s3://b/k.zip?x=1"])
def test_a_revision_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="s3://BUCKET/KEY"):
        revision(read({**REMOTE, "INPUT_REVISION": text}), {})


def test_aws_has_to_know_the_region_and_a_server_does_not() -> None:
    with pytest.raises(UserError, match="AWS_REGION"):
        region_of(read(REMOTE), {})
    assert region_of(read(REMOTE), {"AWS_REGION": "eu-west-1"}) == "eu-west-1"
    at_server = read({**REMOTE, "INPUT_ENDPOINT": "http://127.0.0.1:8300"})
    assert region_of(at_server, {}) == "us-east-1"
