"""The wire API over a real socket and a real store, in which deployments move only when the test says so.

    with DeploymentRig(folder) as rig:
        made = rig.create()["deploymentId"]     # shop/production, a group of manifests' kind is `rig.push`
        rig.world.settle()                      # every event ends, as `rig.world.fails` says

`rig.world` is the World of `store_cases`: its clock is the deployments' clock.
"""

from pathlib import Path
from typing import Any, Self

from api_rig import Rig
from botocore.exceptions import ClientError
from store_cases import World

from runner.api.codedeploy import catalog, deployments
from runner.api.codedeploy.arns import Arns
from runner.service import Service

ROLE = "arn:aws:iam::000000000000:role/deploys"
GROUP = {"applicationName": "api", "deploymentGroupName": "production"}
REVISION = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip", "eTag": "e1"}}
TAGS = [{"Key": "stage", "Value": "production", "Type": "KEY_AND_VALUE"}]


class DeploymentRig:
    """See above. *hosts*: targets of every deployment. *world*: the kind of world."""

    def __init__(self, folder: Path, hosts: int = 2, world: type[World] = World) -> None:
        self.world = world(folder, hosts)
        store, arns = self.world.store, Arns("us-east-1", "000000000000")
        service = Service(store, lambda: (), lambda: self.world.now)
        self.rig = Rig(
            {
                **catalog.operations(store.catalog, lambda: (), arns),
                **deployments.operations(service, store.wire, store.catalog, arns, store.hooks),
            },
            answers=store.answers,
            clock=lambda: self.world.now,
        )

    def __enter__(self) -> Self:
        self.rig.__enter__()
        self.client = self.rig.client()
        self.client.create_application(applicationName="api")
        self.group()
        return self

    def __exit__(self, *_: object) -> None:
        self.rig.__exit__()
        self.world.store.close()

    def group(self, name: str = "production", **settings: Any) -> dict[str, str]:
        """A further deployment group of the application `api`."""
        wanted = {"onPremisesInstanceTagFilters": TAGS, "deploymentConfigName": "CodeDeployDefault.AllAtOnce"}
        self.client.create_deployment_group(
            applicationName="api", deploymentGroupName=name, serviceRoleArn=ROLE, **{**wanted, **settings}
        )
        return {"applicationName": "api", "deploymentGroupName": name}

    def create(self, **changes: Any) -> str:
        self.world.tick()
        return str(self.client.create_deployment(**{**GROUP, "revision": REVISION, **changes})["deploymentId"])

    def get(self, deployment_id: str) -> dict[str, Any]:
        return dict(self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def deploy(self, **changes: Any) -> dict[str, Any]:
        """A deployment that has ended."""
        made = self.create(**changes)
        self.world.settle()
        return self.get(made)

    def refused(self, operation: str, **parameters: Any) -> tuple[str, str]:
        """The exception's code and message."""
        try:
            getattr(self.client, operation)(**parameters)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AssertionError(f"{operation} was not refused")
