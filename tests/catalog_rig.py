"""A real store behind a real socket, with the operations on what deployments are made of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_rig import Rig
from botocore.exceptions import ClientError
from store_cases import World

from runner.api.codedeploy import catalog
from runner.api.codedeploy.arns import Arns
from runner.model.target import Host

ROLE = "arn:aws:iam::123456789012:role/CodeDeploy"
USER = "arn:aws:iam::123456789012:user/"
ARN = "arn:aws:codedeploy:us-east-1:000000000000:"


class Catalog(World):
    """*hosts*: those of the configuration. *client*: an admin's boto3 client."""

    rig: Rig
    client: Any
    configured: tuple[Host, ...] = ()

    def application(self, name: str = "shop", **more: Any) -> str:
        return self.client.create_application(applicationName=name, **more)["applicationId"]

    def group(self, name: str = "production", application: str = "shop", **more: Any) -> str:
        settings = {"serviceRoleArn": ROLE, **more}
        made = self.client.create_deployment_group(applicationName=application, deploymentGroupName=name, **settings)
        return made["deploymentGroupId"]

    def info(self, name: str = "production", application: str = "shop") -> dict[str, Any]:
        got = self.client.get_deployment_group(applicationName=application, deploymentGroupName=name)
        return got["deploymentGroupInfo"]


@contextmanager
def serving(folder: Path) -> Iterator[Catalog]:
    made = Catalog(folder)
    operations = catalog.operations(made.store.catalog, lambda: made.configured, Arns("us-east-1", "000000000000"))
    try:
        with Rig(codedeploy=operations, answers=made.store.answers) as rig:
            made.rig, made.client = rig, rig.client()
            yield made
            made.client.close()
    finally:
        made.store.close()


def refused(code: str, call: Callable[..., object], *arguments: Any, **params: Any) -> str:
    """The message with which *call* is refused; fails when it is not, or with another exception than *code*."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **params)
    error = caught.value.response["Error"]
    assert error["Code"] == f"{code}Exception", error
    return str(error["Message"])
