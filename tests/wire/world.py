"""All operations of CodeDeploy's API on a real store that already holds something, behind a real socket.

There are: the application `shop` that a manifest owns, with the groups `staging` and `production` and two rounds of
deployments, of which one failed; the application `blog` made through the API, with the group `prod`; `functions` for Lambda
with the group `live`, and `services` for ECS with the group `web`, a deployment of each; the on-premises instances `web-1`
and `web-2`; the deployment configuration `careful`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from api_rig import Rig
from botocore.exceptions import ClientError
from traffic_rig import TrafficWorld
from traffic_shapes import ROLE, function_appspec, service_appspec, service_group
from wire.generation import POOLS, Pools

from runner.api.call import Operation
from runner.api.codedeploy import catalog, deployments
from runner.api.codedeploy.arns import Arns
from runner.service import Service

ACCOUNT = "000000000000"

_USER = f"arn:aws:iam::{ACCOUNT}:user/web"
_THERE = (
    "AlreadyExistsException",
    "AlreadyRegisteredException",
    "DeploymentLimitExceededException",
    "ECSServiceMappingLimitExceededException",  # its group has another name now
    "DeploymentGroupDoesNotExistException",
)


class Served(NamedTuple):
    """*pools*: values to try, with the deployments that there are."""

    rig: Rig
    operations: dict[str, Operation]
    world: TrafficWorld
    pools: Pools

    def restore(self) -> None:
        """Put back what calls have removed, and let deployments come to their ends."""
        _furnish(self.rig)
        self.world.settle()


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    world = TrafficWorld(folder)
    try:
        world.push("1")
        world.settle()
        world.fails = lambda event: event.target.endswith("2")
        world.push("2")
        world.settle()
        arns = Arns("us-east-1", ACCOUNT)
        service = Service(world.store, list, lambda: world.now)
        operations = {
            **catalog.operations(world.store.catalog, list, arns),
            **deployments.operations(service, world.store.wire, world.store.catalog, arns, world.store.hooks),
        }
        with Rig(operations, answers=world.store.answers, clock=lambda: world.now) as rig:
            _furnish(rig)
            yield Served(rig, operations, world, _pools(world))
    finally:
        world.store.close()


def _furnish(rig: Rig) -> None:
    client = rig.client()
    blog = {"applicationName": "blog", "deploymentGroupName": "prod"}
    functions = {"applicationName": "functions", "deploymentGroupName": "live"}
    services = {"applicationName": "services", "deploymentGroupName": "web"}
    zipped = {"bucket": "bundles", "key": "shop.zip", "bundleType": "zip"}
    prod = [{"Key": "env", "Value": "prod"}]
    steps: list[tuple[Callable[..., object], dict[str, Any]]] = [
        (client.create_application, {"applicationName": "blog", "tags": prod}),
        (
            client.create_deployment_config,
            {"deploymentConfigName": "careful", "minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 75}},
        ),
        *(
            (
                client.register_on_premises_instance,
                {"instanceName": name, "iamUserArn": f"arn:aws:iam::{ACCOUNT}:user/{name}"},
            )
            for name in ("web-1", "web-2")
        ),
        (client.add_tags_to_on_premises_instances, {"instanceNames": ["web-1"], "tags": prod}),
        (
            client.create_deployment_group,
            {
                **blog,
                "serviceRoleArn": "arn:aws:iam::000000000000:role/deployer",
                "deploymentConfigName": "careful",
                "onPremisesInstanceTagFilters": [{**prod[0], "Type": "KEY_AND_VALUE"}],
            },
        ),
        (client.create_deployment, {**blog, "revision": {"revisionType": "S3", "s3Location": zipped}}),
        (client.create_application, {"applicationName": "functions", "computePlatform": "Lambda"}),
        (client.create_deployment_group, {**functions, "serviceRoleArn": ROLE}),
        (client.create_deployment, {**functions, "revision": function_appspec()}),
        (client.create_application, {"applicationName": "services", "computePlatform": "ECS"}),
        (client.create_deployment_group, {**services, **service_group(ready=60)}),
        (client.create_deployment, {**services, "revision": service_appspec()}),
    ]
    for step, arguments in steps:
        try:
            step(**arguments)
        except ClientError as error:  # it is there already
            if not error.response["Error"]["Code"].endswith(_THERE):
                raise


def _pools(world: TrafficWorld) -> Pools:
    known = [each.id for each in world.store.deployments()]
    return {
        **POOLS,
        "ApplicationName": ["shop", "blog", "blog", "functions", "services", "new", "x" * 100],
        "DeploymentConfigName": ["careful", "new", "CodeDeployDefault.OneAtATime", "CodeDeployDefault.ECSAllAtOnce"],
        "DeploymentGroupName": ["production", "staging", "prod", "prod", "live", "web"],
        "DeploymentId": [*known, "d-000000000"],
        "InstanceId": ["production-1", "staging-2", "web-1"],
        "TargetId": ["production-1", "staging-2", "web-1", "shop", "main:web"],
    }
