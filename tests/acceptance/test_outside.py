"""The real program with the outside world in real form: bundles in S3, topics in SNS, a webhook's receiver."""

import hashlib
import hmac
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from acceptance_cases import APPSPEC, HOOK, MANIFEST, Site
from moto_server import CREDENTIALS, reset, running_moto
from receiver import running_receiver

BUCKET = "releases-of-ours"
FROM_S3 = MANIFEST.replace(
    "platform: Server\n",
    f'platform: Server\nrevision: {{s3: {{bucket: {BUCKET}, key: "shop/{{{{ commit.id }}}}.tgz", pin: etag}}}}\n',
)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with running_moto() as endpoint:
        yield endpoint


@pytest.fixture
def aws(moto: str) -> dict[str, str]:
    reset(moto)
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": moto}


def client(service: str, aws: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
    )


def bundle(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in {"appspec.yml": APPSPEC, "hook.sh": HOOK, "content/version": "from s3", **files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content.encode()), 0o755
            tar.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


def penstock(site: Site, aws: dict[str, str], *verb: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runner", *site.argv(*verb)],
        cwd=site.folder,
        env={**os.environ, **aws},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_bundle_in_s3_is_pinned_and_deployed_with_its_variables(site: Site, aws: dict[str, str]) -> None:
    (site.repository / "penstock.yaml").write_text(FROM_S3)
    head = site.commit()
    s3 = client("s3", aws)
    s3.create_bucket(Bucket=BUCKET)
    hook = HOOK + 'env | grep BUNDLE_ > "$PENSTOCK_ROOT/variables"\n'
    etag = s3.put_object(Bucket=BUCKET, Key=f"shop/{head}.tgz", Body=bundle(**{"hook.sh": hook}))["ETag"].strip('"')
    done = penstock(site, aws, "sync")
    assert done.returncode == 0, done.stderr
    assert (site.hosts / "production-2/srv/shop/version").read_text() == "from s3"
    variables = (site.hosts / "staging-1/variables").read_text().split()
    assert sorted(variables) == [f"BUNDLE_BUCKET={BUCKET}", f"BUNDLE_ETAG={etag}", f"BUNDLE_KEY=shop/{head}.tgz"]


def test_an_object_that_is_changed_after_it_was_pinned_touches_no_host(site: Site, aws: dict[str, str]) -> None:
    """Staging has the pinned object; by the time production would, somebody has put another one in its place."""
    (site.repository / "penstock.yaml").write_text(FROM_S3)
    head = site.commit()
    s3 = client("s3", aws)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=f"shop/{head}.tgz", Body=bundle())
    assert penstock(site, aws, "sync").returncode == 0
    s3.put_object(Bucket=BUCKET, Key=f"shop/{head}.tgz", Body=bundle(**{"content/version": "swapped"}))
    for cached in (site.state / "bundles").rglob("*"):
        if cached.is_file():
            cached.unlink()
    done = penstock(site, aws, "redeploy", "shop/production")
    assert done.returncode == 1
    assert "ETag" in done.stderr + done.stdout
    failed = json.loads(penstock(site, aws, "--output", "json", "list", "--limit", "1").stdout)[0]
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "INVALID_REVISION")
    assert (site.hosts / "production-1/srv/shop/version").read_text() == "from s3"


def test_a_hostile_bundle_is_refused_before_any_host(site: Site, aws: dict[str, str]) -> None:
    (site.repository / "penstock.yaml").write_text(FROM_S3)
    head = site.commit()
    s3 = client("s3", aws)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=f"shop/{head}.tgz", Body=bundle(**{"../outside": "x"}))
    done = penstock(site, aws, "sync")
    assert done.returncode == 1
    assert "../outside" in done.stderr + done.stdout
    assert set(map(tuple, site.records().values())) == {()}


def test_sns_and_a_signed_webhook_are_told_what_their_triggers_name(site: Site, aws: dict[str, str]) -> None:
    sns, sqs = client("sns", aws), client("sqs", aws)
    topic = sns.create_topic(Name="deploys")["TopicArn"]
    queue = sqs.create_queue(QueueName="deploys")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    (site.repository / "penstock.yaml").write_text(
        MANIFEST + "notify:\n"
        f'  - {{to: "sns:{topic}", on: [DeploymentStart, DeploymentSuccess], groups: [production]}}\n'
        '  - {to: "webhook:ops", on: [InstanceFailure, DeploymentFailure]}\n'
    )
    with running_receiver() as receiver:
        receiver.answers = [500, 200]
        with site.config.open("a") as config:
            config.write(f'[notifiers.ops]\nurl = "{receiver.url}/hook"\nsecret = "env:HOOK_SECRET"\n')
        site.commit()
        secret = {"HOOK_SECRET": "not a secret"}
        assert penstock(site, {**aws, **secret}, "sync").returncode == 0
        site.commit("bad", **{"broken-on-staging-1": ""})
        assert penstock(site, {**aws, **secret}, "sync").returncode == 1
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(json.loads(each["Body"])["Message"]) for each in messages]
    assert sorted(each["status"] for each in bodies) == ["CREATED", "SUCCEEDED"]
    assert {each["deploymentGroupName"] for each in bodies} == {"production"}
    assert len(receiver.received) >= 2  # the first answer was 500: it is told again
    for told in receiver.received:
        signed = hmac.new(b"not a secret", told.body, hashlib.sha256).hexdigest()
        assert told.headers["X-Hub-Signature-256"] == f"sha256={signed}"
    events = [told.headers["X-Penstock-Event"] for told in receiver.received]
    assert events[:2] == ["InstanceFailure", "InstanceFailure"]
