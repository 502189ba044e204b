import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from acceptance_cases import wait_until
from action_cases import Job, ours
from composite_action import Ended, Running
from serving import Server, serving

TAGS = [{"Key": "stage", "Value": "production", "Type": "KEY_AND_VALUE"}]
GROUP = {"applicationName": "shop", "deploymentGroupName": "production"}


class Site:
    """A server that knows the job's repository as `acme/shop`, with a deployment group, and the key of a deployer."""

    def __init__(self, job: Job, server: Server) -> None:
        self.job, self.server = job, server
        self.key = server.key("deployer")
        admin = self._client(server.key("admin"))
        admin.create_application(applicationName="shop")
        admin.create_deployment_group(
            **GROUP,
            serviceRoleArn="arn:aws:iam::000000000000:role/unused",
            onPremisesInstanceTagFilters=TAGS,
            autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        )

    def client(self) -> Any:
        return self._client(self.key)

    def _client(self, key: dict[str, str]) -> Any:
        return boto3.client(
            "codedeploy",
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
        )

    def run(self, heard=lambda line, running: None, key: dict[str, str] | None = None, **inputs: str) -> Ended:
        names = {"application": "shop", "deployment_group": "production", "endpoint": self.server.url}
        return self.job.run(heard, key or self.key, **{"mode": "remote", **names, **inputs})


@pytest.fixture
def site(job: Job, tmp_path: Path) -> Iterator[Site]:
    config = tmp_path / "server.toml"
    repository = f'[repositories.shop]\nurl = "{job.origin}"\ngithub = "acme/shop"\nbranches = []\n'
    config.write_text(repository + (job.origin / "penstock.toml").read_text())
    with serving(config, tmp_path / "server") as server:
        yield Site(job, server)


def test_a_server_deploys_this_commit_and_the_step_follows_it(site: Site) -> None:
    ended = site.run(description="by the workflow")
    assert ended.succeeded, ended.log
    assert ended.outputs["status"] == "Succeeded"
    info = site.client().get_deployment(deploymentId=ended.outputs["deployment-ids"])["deploymentInfo"]
    assert info["revision"]["gitHubLocation"] == {"repository": "acme/shop", "commitId": site.job.sha}
    assert info["description"] == "by the workflow"
    assert [site.job.page(host) for host in ("web-1", "web-2")] == ["hello", "hello"]
    assert any(line.endswith("shop/production web-2 succeeded") for line in ended.log)
    assert "| web-2 | ✓ Succeeded |" in ended.summary
    assert ended.outputs["url"].endswith("/actions/runs/41")
    assert ours(ended)


def test_a_failed_deployment_and_its_rollback_are_followed_to_the_end(site: Site) -> None:
    assert site.run().succeeded
    site.job.write("page/broken", "")
    site.job.push()
    ended = site.run()
    assert not ended.succeeded
    assert ended.outputs["status"] == "Failed"
    assert f"Rolls back {ended.outputs['deployment-ids']}." in ended.summary
    assert "the database is gone" in ended.summary
    assert [each.properties["title"] for each in ended.named("error")] == ["shop/production failed"]
    assert ours(ended)


def cancelled(site: Site, on_cancel: str) -> Ended:
    def heard(line: str, running: Running) -> None:
        if "created: deploys" in line:
            wait_until((site.job.folder / "web-1" / "begun").exists, "the script")
            os.kill(running.pid, signal.SIGINT)
        elif "the workflow was cancelled" in line and on_cancel == "stop":
            wait_until(lambda: stop_is_asked(site), "the stop")
            site.job.release("web-1")

    site.job.hold("web-1")
    try:
        return site.run(heard, on_cancel=on_cancel)
    finally:
        site.job.release("web-1")


def stop_is_asked(site: Site) -> bool:
    (shown,) = site.server.penstock("list")
    return bool(shown["stop_requested"])


def test_cancelling_the_workflow_stops_the_deployment_on_the_server(site: Site) -> None:
    ended = cancelled(site, "stop")
    assert not ended.succeeded
    assert ended.outputs["status"] == "Stopped"
    assert "The workflow was cancelled." in ended.summary
    assert site.job.page("web-2") is None


def test_a_deployment_that_is_left_goes_on_without_the_workflow(site: Site) -> None:
    ended = cancelled(site, "leave")
    assert not ended.succeeded
    assert ended.outputs["status"] == "InProgress"
    assert "the server carries on" in ended.summary
    made = ended.outputs["deployment-ids"]
    client = site.client()
    wait_until(
        lambda: client.get_deployment(deploymentId=made)["deploymentInfo"]["status"] == "Succeeded", "the deployment"
    )


def test_what_the_server_refuses_is_the_annotation(site: Site) -> None:
    ended = site.run(application="shoop")
    assert not ended.succeeded
    (error,) = ended.named("error")
    assert "ApplicationDoesNotExistException" in error.data
    assert ended.outputs["status"] == "NotStarted"


def test_a_deployment_that_fails_before_it_begins_has_failed(site: Site) -> None:
    unknown = "0" * 40
    site.job.sha = unknown  # as after a force-push, or before the server's repository was pushed to
    ended = site.run()
    assert not ended.succeeded
    assert ended.outputs["status"] == "Failed"
    (error,) = ended.named("error")
    assert error.properties["title"] == "shop/production failed"
    assert f"has no commit {unknown}" in error.data
    assert f"has no commit {unknown}" in ended.summary


def test_a_key_that_the_server_does_not_know_is_told_so(site: Site) -> None:
    ended = site.run(key={"AWS_ACCESS_KEY_ID": "PKAAAAAAAAAAAAAAAAAA", "AWS_SECRET_ACCESS_KEY": "wrong"})
    assert not ended.succeeded
    (error,) = ended.named("error")
    assert "codedeploy:CreateDeployment" in error.data
    assert f"{site.server.url} was asked: a Penstock server takes a key of its own" in error.data
    assert "wrong" not in "\n".join(ended.log)


def test_a_server_that_cannot_be_reached_is_told_with_its_address(job: Job) -> None:
    names = {"application": "shop", "deployment_group": "production", "endpoint": "http://127.0.0.1:9"}
    key = {"AWS_ACCESS_KEY_ID": "PKAAAAAAAAAAAAAAAAAA", "AWS_SECRET_ACCESS_KEY": "unused"}
    ended = job.run(environment=key, mode="remote", **names)
    assert not ended.succeeded
    (error,) = ended.named("error")
    assert error.data.startswith("http://127.0.0.1:9 does not answer: [Errno 111] Connection refused")
    assert "AWS" not in error.data
    assert ended.outputs["status"] == "NotStarted"


def test_a_step_without_a_key_is_told_where_to_get_one(site: Site) -> None:
    ended = site.run(key={"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(site.job.folder)})
    assert not ended.succeeded
    (error,) = ended.named("error")
    assert error.data.startswith(f"{site.server.url} wants a key")
    assert "penstock keys create --role deployer" in error.data
