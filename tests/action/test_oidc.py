"""A job without keys: its identity gets credentials of a role, and the deployment's calls of AWS are made with these."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from action_cases import Job, ours
from composite_action import Ended
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures
from support.functions import archive, greeting, make_function, role, shares
from support.keys import REGION

MANIFEST = """penstock: v1
application: resize
platform: Lambda
revision: {s3: {bucket: acme-functions, key: "{{ commit.id }}.zip"}}
function: {name: resize, alias: live}
deployment_groups:
  production: {rollout: CodeDeployDefault.LambdaAllAtOnce}
"""
TOKEN = "header.who-the-job-is.signature"


class Function:
    """The function `resize` at version 1, and a job whose commit has a version 2 in S3. *role*: that the job may take."""

    def __init__(self, job: Job, cloud: Cloud) -> None:
        self.job, self.cloud = job, cloud
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="acme-functions", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="acme-functions", VersioningConfiguration={"Status": "Enabled"})
        make_function(cloud, "resize", greeting(1))
        cloud.client("lambda").create_alias(FunctionName="resize", Name="live", FunctionVersion="1")
        for name in ("appspec.yml", "hook.sh", "penstock.toml"):
            (job.origin / name).unlink()
        job.write("penstock.yaml", MANIFEST)
        s3.put_object(Bucket="acme-functions", Key=f"{job.push()}.zip", Body=archive(greeting(2)))
        self.role = role(cloud)
        cloud.forget()

    def deploy(self, **environment: str) -> Ended:
        """In a job that has this of AWS, and nothing else."""
        region = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}  # aws-actions/configure-aws-credentials sets both
        place = {"AWS_ENDPOINT_URL": self.cloud.url, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.job.folder)}
        return self.job.run(environment={**region, **place, **environment})

    def callers(self) -> set[str]:
        """Whose calls have changed something."""
        return {each.access_key for each in self.cloud.calls(mutating=True, service="lambda")}

    def deployed(self) -> bool:
        return shares(self.cloud, "resize", "live", 20) == {"2": 20}


@pytest.fixture
def function(job: Job, aws: Cloud) -> Iterator[Function]:  # noqa: F811
    yield Function(job, aws)


def credentials(function: Function) -> dict[str, Any]:
    """As the step before gets them, from the token that GitHub gives a job with `id-token: write`."""
    sts = function.cloud.client("sts")
    asked = {"RoleArn": function.role, "RoleSessionName": "GitHubActions", "WebIdentityToken": TOKEN}
    made: dict[str, Any] = sts.assume_role_with_web_identity(**asked)["Credentials"]
    return made


def test_credentials_that_the_step_before_got_by_oidc_are_used(function: Function) -> None:
    made = credentials(function)
    key, secret, session = made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
    ended = function.deploy(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_SESSION_TOKEN=session)
    assert ended.succeeded, "\n".join(ended.log)
    assert ended.outputs["status"] == "Succeeded"
    assert function.callers() == {key}
    assert function.deployed()
    assert ours(ended)
    told = "\n".join([*ended.log, ended.summary, *ended.outputs.values()])
    assert secret not in told
    assert session not in told


def test_a_token_in_a_file_is_enough(function: Function, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    ended = function.deploy(AWS_WEB_IDENTITY_TOKEN_FILE=str(file), AWS_ROLE_ARN=function.role)
    assert ended.succeeded, "\n".join(ended.log)
    assert function.deployed()
    assert {key[:4] for key in function.callers()} == {"ASIA"}, "of the role: nothing else was given"
    assert TOKEN not in "\n".join([*ended.log, ended.summary])


def test_without_any_credentials_the_job_is_told_what_is_missing(function: Function) -> None:
    ended = function.deploy()
    assert not ended.succeeded
    assert function.callers() == set()
    (error,) = ended.named("error")
    assert "credentials" in error.data
    assert ended.outputs["status"] in ("NotStarted", "Failed")
