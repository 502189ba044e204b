"""kill -9 after every call that changes anything, and what the next process makes of it."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import function_run
import pytest
from support.cloud import Cloud
from support.functions import archive, greeting, make_function, shares

CHANGES = ["UpdateFunctionCode", "PublishVersion", "UpdateAlias", "UpdateAlias", "UpdateAlias"]


@pytest.fixture
def pinned(aws: Cloud) -> str:
    """The version of the object in S3 that is deployed."""
    make_function(aws, "resize", greeting("old"))
    aws.client("lambda").create_alias(FunctionName="resize", Name="live", FunctionVersion="1")
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="acme", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="acme", VersioningConfiguration={"Status": "Enabled"})
    return str(s3.put_object(Bucket="acme", Key="resize.zip", Body=archive(greeting("new")))["VersionId"])


def start(folder: Path, pinned: str) -> "subprocess.Popen[str]":
    command = [sys.executable, function_run.__file__, str(folder / "state"), pinned]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left(aws: Cloud) -> tuple[Any, ...]:
    client = aws.client("lambda")
    alias = client.get_alias(FunctionName="resize", Name="live")
    versions = client.list_versions_by_function(FunctionName="resize")["Versions"]
    routing = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return alias["FunctionVersion"], routing, [each["Version"] for each in versions]


@pytest.mark.parametrize("calls", range(len(CHANGES) + 1))
def test_a_killed_deployment_ends_as_one_that_nobody_killed(
    aws: Cloud, pinned: str, tmp_path: Path, calls: int
) -> None:
    first = start(tmp_path, pinned)
    if calls:
        aws.kill_after(first.pid, calls)
    _, errors = first.communicate("go\n", timeout=60)
    assert first.returncode == (-signal.SIGKILL if calls else 0), errors
    if calls:
        again = start(tmp_path, pinned)
        _, errors = again.communicate("go\n", timeout=60)
        assert again.returncode == 0, errors
    assert left(aws) == ("2", {}, ["$LATEST", "1", "2"])
    made = [call.operation for call in aws.calls(mutating=True, service="lambda") if call.status < 400]
    # A write of the alias that was cut off is confirmed by the same write; other calls are not made twice for nothing.
    assert made == CHANGES if not calls else len(made) <= len(CHANGES) + 1
    assert shares(aws, "resize", "live", 10) == {"2": 10}
