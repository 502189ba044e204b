"""The AWS CLI, unchanged, against `penstock serve`: from nothing to a deployment, by the commands of its user guide."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import moto_server
import pytest
from acceptance_cases import wait_until
from serving import AwsCli, Server, serving

ROLE = "arn:aws:iam::111122223333:role/deployer"
TAGS = '{"onPremisesTagSetList": [[{"Key": "app", "Value": "shop", "Type": "KEY_AND_VALUE"}]]}'
HOOK = """#!/bin/sh
echo "$APPLICATION_NAME $DEPLOYMENT_GROUP_NAME $LIFECYCLE_EVENT"
while [ -e "$PENSTOCK_ROOT/held" ]; do sleep 0.02; done
[ ! -e "$PENSTOCK_ROOT/broken" ] || exit 5
"""
APPSPEC = """version: 0.0
os: linux
files:
  - {source: page, destination: /srv/shop}
hooks:
  AfterInstall:
    - {location: hook.sh, timeout: 60}
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with moto_server.running_moto() as endpoint:
        boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1"
        ).create_bucket(Bucket="releases")
        yield endpoint


@pytest.fixture
def server(tmp_path: Path, s3: str) -> Iterator[Server]:
    config = tmp_path / "penstock.toml"
    config.write_text(
        "".join(
            f'[hosts.web-{number}]\nfolder = "{tmp_path / f"web-{number}"}"\ntags = {{app = "shop"}}\n'
            for number in (1, 2)
        )
    )
    with serving(config, tmp_path / "state", moto_server.environment(s3)) as running:
        yield running


@pytest.fixture
def aws(server: Server, s3: str) -> AwsCli:
    return AwsCli(server, server.key("admin"), {**moto_server.CREDENTIALS, "AWS_ENDPOINT_URL_S3": s3})


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "page").mkdir(parents=True)
    (folder / "page" / "index.html").write_text("hello")
    (folder / "appspec.yml").write_text(APPSPEC)
    (folder / "hook.sh").write_text(HOOK)
    return folder


def status_of(aws: AwsCli, deployment: str) -> str:
    status: str = aws("deploy", "get-deployment", "--deployment-id", deployment)["deploymentInfo"]["status"]
    return status


def make_group(aws: AwsCli) -> None:
    names = ("--application-name", "shop", "--deployment-group-name", "production")
    aws("deploy", "create-application", "--application-name", "shop", "--compute-platform", "Server")
    aws("deploy", "create-deployment-group", *names, "--service-role-arn", ROLE, "--on-premises-tag-set", TAGS)


def push(aws: AwsCli, bundle: Path) -> dict[str, str]:
    """Upload and register *bundle* as `aws deploy push` does; returns the location that it was registered under."""
    where = ("--s3-location", "s3://releases/shop.zip", "--source", ".")
    said = aws("deploy", "push", "--application-name", "shop", *where, cwd=bundle)
    assert "create-deployment" in said  # it prints the command that comes next
    (revision,) = aws("deploy", "list-application-revisions", "--application-name", "shop")["revisions"]
    location: dict[str, str] = revision["s3Location"]
    return location


def deploy(aws: AwsCli, location: dict[str, str], *options: str) -> str:
    where = ",".join(f"{name}={value}" for name, value in location.items())
    names = ("--application-name", "shop", "--deployment-group-name", "production", "--s3-location", where)
    made: str = aws("deploy", "create-deployment", *names, *options)["deploymentId"]
    return made


def test_from_create_application_to_a_deployment_that_succeeded(
    aws: AwsCli, server: Server, bundle: Path, tmp_path: Path
) -> None:
    make_group(aws)
    location = push(aws, bundle)
    assert set(location) == {"bucket", "key", "bundleType", "eTag"}
    made = deploy(aws, location, "--deployment-config-name", "CodeDeployDefault.AllAtOnce", "--description", "first")
    wait_until(lambda: server.status(made) == "Succeeded", "the deployment")
    assert status_of(aws, made) == "Succeeded"
    aws("deploy", "wait", "deployment-successful", "--deployment-id", made)
    assert [(tmp_path / f"web-{n}" / "srv/shop/index.html").read_text() for n in (1, 2)] == ["hello", "hello"]

    listed = aws("deploy", "list-deployment-targets", "--deployment-id", made)["targetIds"]
    assert sorted(listed) == ["web-1", "web-2"]
    target = aws("deploy", "get-deployment-target", "--deployment-id", made, "--target-id", "web-1")
    events = target["deploymentTarget"]["instanceTarget"]["lifecycleEvents"]
    assert [(event["lifecycleEventName"], event["status"]) for event in events] == [
        (name, "Succeeded")
        for name in (
            "ApplicationStop",
            "DownloadBundle",
            "BeforeInstall",
            "Install",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService",
        )
    ]
    both = aws("deploy", "batch-get-deployment-targets", "--deployment-id", made, "--target-ids", "web-1", "web-2")
    assert len(both["deploymentTargets"]) == 2
    listing = aws("deploy", "list-deployments", "--application-name", "shop", "--deployment-group-name", "production")
    assert listing["deployments"] == [made]
    (info,) = aws("deploy", "batch-get-deployments", "--deployment-ids", made)["deploymentsInfo"]
    assert (info["creator"], info["description"], info["deploymentOverview"]["Succeeded"]) == ("user", "first", 2)
    (known,) = aws("deploy", "batch-get-applications", "--application-names", "shop")["applicationsInfo"]
    assert known["computePlatform"] == "Server"
    group = aws(
        "deploy", "get-deployment-group", "--application-name", "shop", "--deployment-group-name", "production"
    )["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == made
    assert group["onPremisesTagSet"] == json.loads(TAGS)

    logs = tmp_path / "state" / "logs"
    assert [each.name for each in logs.iterdir()] == [made]
    server.stop()
    server.start()
    assert [each.name for each in logs.iterdir()] == [made]
    aws("deploy", "delete-application", "--application-name", "shop")
    server.stop()
    server.start()
    assert not list(logs.iterdir())  # the output of deployments goes with them


def test_a_deployment_that_hangs_is_stopped_and_one_that_fails_says_where(
    aws: AwsCli, server: Server, bundle: Path, tmp_path: Path
) -> None:
    make_group(aws)
    location = push(aws, bundle)
    (tmp_path / "web-1").mkdir(exist_ok=True)
    (tmp_path / "web-1" / "held").touch()
    held = deploy(aws, location)
    again = aws.run(
        *("deploy", "create-deployment", "--application-name", "shop", "--deployment-group-name", "production"),
        *("--s3-location", "bucket=releases,key=shop.zip,bundleType=zip"),
    )
    assert again.returncode != 0
    assert f"DeploymentLimitExceededException) when calling the CreateDeployment operation: The Deployment Group "\
        f"'production' already has an active Deployment '{held}'" in again.stderr  # fmt: skip
    stopped = aws("deploy", "stop-deployment", "--deployment-id", held)
    assert stopped["status"] == "Pending"
    (tmp_path / "web-1" / "held").unlink()
    wait_until(lambda: server.status(held) == "Stopped", "the stop")
    assert status_of(aws, held) == "Stopped"
    assert aws("deploy", "stop-deployment", "--deployment-id", held)["status"] == "Succeeded"

    (tmp_path / "web-1" / "broken").touch()
    failed = deploy(aws, location, "--file-exists-behavior", "OVERWRITE")
    wait_until(lambda: server.status(failed) == "Failed", "the failure")
    assert status_of(aws, failed) == "Failed"
    waiter = aws.run("deploy", "wait", "deployment-successful", "--deployment-id", failed)
    assert waiter.returncode == 255
    target = aws("deploy", "get-deployment-target", "--deployment-id", failed, "--target-id", "web-1")
    events = {
        each["lifecycleEventName"]: each for each in target["deploymentTarget"]["instanceTarget"]["lifecycleEvents"]
    }
    assert events["AfterInstall"]["diagnostics"]["errorCode"] == "ScriptFailed"
    assert "exit code 5" in events["AfterInstall"]["diagnostics"]["message"]
    assert events["ApplicationStart"]["status"] == "Skipped"
    chosen = aws("deploy", "list-deployments", "--include-only-statuses", "Failed")["deployments"]
    assert chosen == [failed]


def test_an_on_premises_instance_is_registered_tagged_and_deregistered(aws: AwsCli) -> None:
    arn = "arn:aws:iam::111122223333:user/CodeDeploy/db-1"
    aws("deploy", "register", "--instance-name", "db-1", "--iam-user-arn", arn, "--tags", "Key=app,Value=db")
    (known,) = aws("deploy", "batch-get-on-premises-instances", "--instance-names", "db-1")["instanceInfos"]
    assert (known["iamUserArn"], known["tags"]) == (arn, [{"Key": "app", "Value": "db"}])
    named = aws("deploy", "list-on-premises-instances", "--tag-filters", "Key=app,Value=db,Type=KEY_AND_VALUE")
    assert named["instanceNames"] == ["db-1"]
    assert sorted(aws("deploy", "list-on-premises-instances")["instanceNames"]) == ["db-1", "web-1", "web-2"]
    aws("deploy", "deregister-on-premises-instance", "--instance-name", "db-1")
    gone = aws("deploy", "list-on-premises-instances", "--registration-status", "Deregistered")
    assert gone["instanceNames"] == ["db-1"]


def test_a_reader_reads_and_nothing_more(aws: AwsCli, server: Server) -> None:
    make_group(aws)
    reader = AwsCli(server, server.key("reader"), moto_server.CREDENTIALS)
    assert reader("deploy", "list-applications")["applications"] == ["shop"]
    refused = reader.run("deploy", "delete-application", "--application-name", "shop")
    assert refused.returncode != 0 and "AccessDeniedException" in refused.stderr
    stranger = AwsCli(server, {"AWS_ACCESS_KEY_ID": "PKNOBODY", "AWS_SECRET_ACCESS_KEY": "x"}, moto_server.CREDENTIALS)
    unknown = stranger.run("deploy", "list-applications")
    assert unknown.returncode != 0 and "UnrecognizedClientException" in unknown.stderr
