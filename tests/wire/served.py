"""`penstock serve` as a process, the cloud of `support` as its AWS, and boto3 with keys that the server gave out."""

from typing import Any

import boto3
from acceptance_cases import wait_until
from serving import Server
from support.cloud import Cloud

CONFIG = '[api]\nregion = "eu-west-1"\naccount_id = "111122223333"\n'


class ServedAws:
    """*client*: an admin's."""

    def __init__(self, server: Server, aws: Cloud) -> None:
        self.server, self.aws = server, aws
        self.client = self.client_of("admin")

    def client_of(self, role: str) -> Any:
        key = self.server.key(role)
        return boto3.session.Session().client(
            "codedeploy",
            endpoint_url=self.server.url,
            region_name="eu-west-1",
            aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def variables(self) -> dict[str, str]:
        """Of a hook function (`support.functions.HOOK`), which gets a key of its own."""
        key = self.server.key("deployer")
        return {
            "PENSTOCK_URL": self.server.url,
            "PENSTOCK_KEY": key["AWS_ACCESS_KEY_ID"],
            "PENSTOCK_SECRET": key["AWS_SECRET_ACCESS_KEY"],
        }

    def get(self, deployment_id: str) -> dict[str, Any]:
        return dict(self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def target(self, deployment_id: str) -> dict[str, Any]:
        """The one target, whatever its type; {} before it is known."""
        if "startTime" not in self.get(deployment_id):
            return {}
        (name,) = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        told = self.client.get_deployment_target(deploymentId=deployment_id, targetId=name)["deploymentTarget"]
        return dict(told.get("lambdaTarget") or told["ecsTarget"])

    def until_status(self, deployment_id: str, status: str) -> dict[str, Any]:
        """The deployment, once it has *status*."""
        wait_until(lambda: self.get(deployment_id)["status"] in (status, "Succeeded", "Failed", "Stopped"), status)
        told = self.get(deployment_id)
        assert told["status"] == status, f"{told}\n{self.server.log}"
        return told
