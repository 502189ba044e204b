"""Mode remote with a bundle that an earlier step of the workflow has put into S3."""

import io
import tarfile
from pathlib import Path

import boto3
from action_cases import APPSPEC, HOOK, Job, ours
from moto_server import CREDENTIALS, running_moto
from serving import serving

GROUP = {"applicationName": "shop", "deploymentGroupName": "production"}
TAGS = [{"Key": "stage", "Value": "production", "Type": "KEY_AND_VALUE"}]


def bundle() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in {"appspec.yml": APPSPEC, "hook.sh": HOOK, "page/index.html": "from S3"}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o755
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def test_an_object_in_s3_is_deployed_in_the_version_that_is_named(job: Job, tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text((job.origin / "penstock.toml").read_text())
    with running_moto() as moto:
        environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": moto}
        keys = {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret", "region_name": "us-east-1"}
        s3 = boto3.client("s3", endpoint_url=moto, **keys)
        s3.create_bucket(Bucket="builds")
        s3.put_bucket_versioning(Bucket="builds", VersioningConfiguration={"Status": "Enabled"})
        version = s3.put_object(Bucket="builds", Key="shop.tgz", Body=bundle())["VersionId"]
        s3.put_object(Bucket="builds", Key="shop.tgz", Body=b"something later")
        with serving(config, tmp_path / "server", environment) as server:
            admin = {name.lower(): value for name, value in server.key("admin").items()}
            codedeploy = boto3.client("codedeploy", endpoint_url=server.url, region_name="us-east-1", **admin)
            codedeploy.create_application(applicationName="shop")
            role = "arn:aws:iam::000000000000:role/unused"
            codedeploy.create_deployment_group(**GROUP, serviceRoleArn=role, onPremisesInstanceTagFilters=TAGS)
            asked = {"endpoint": server.url, "application": "shop", "deployment_group": "production"}
            revision = f"s3://builds/shop.tgz?versionId={version}"
            ended = job.run(environment=server.key("deployer"), mode="remote", revision=revision, **asked)
            assert ended.succeeded, "\n".join(ended.log)
            made = codedeploy.get_deployment(deploymentId=ended.outputs["deployment-ids"])["deploymentInfo"]
    assert made["revision"]["s3Location"]["version"] == version
    assert job.page("web-1") == "from S3"
    assert ended.outputs["status"] == "Succeeded"
    assert ours(ended)
