"""COPY_AUTO_SCALING_GROUP over the wire API: groups, target groups and instances are the cloud's; hosts run nothing."""

import asyncio
import datetime as dt
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aws_world import AwsWorld
from fakes.platform import FakePlatform
from fakes.traffic_platform import FakeTrafficPlatform
from support.cloud import Cloud
from support.ec2_world import Ec2World, Healthy
from traffic_shapes import ROLE

from runner.config import InstancesConfig
from runner.execute.driver import Driver
from runner.execute.prepare_fleets import prepare_fleets
from runner.inventory.ec2 import Ec2Instances
from runner.model.work import PreparationFailed, Prepare, PreparedFleets
from runner.plan.targets import choose
from runner.platforms.fleets import CloudFleets
from runner.traffic.balancers import Balancers, check
from runner.traffic.platform import WithTraffic

APPSPEC = "version: 0.0\nos: linux\n"
PLACE = {"applicationName": "shop", "deploymentGroupName": "live"}
SHIFTED = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}


class CopiedFleets(AwsWorld):
    """The Auto Scaling group `web` with two instances in traffic, and a deployment group that copies it."""

    def __init__(self, folder: Path, aws: Cloud, port: int) -> None:
        super().__init__(folder, aws)
        self.cloud, self._port = Ec2World(aws), port
        self.target_group = self.cloud.target_group("web")
        self.listener = self.cloud.listener(self.target_group)  # without one, nobody looks at the targets' health
        self.old = self.cloud.auto_scaling_group("web", 2)
        self.place(*self.old)
        self.cloud.autoscaling.attach_load_balancer_target_groups(
            AutoScalingGroupName="web", TargetGroupARNs=[self.target_group]
        )
        self.until(lambda: self.healthy() == set(self.old))

    async def _drive(self) -> None:
        config = InstancesConfig()
        instances = Ec2Instances(self._calls, config)
        balancers = Balancers([], self._calls, config)

        def prepared(action: Prepare) -> PreparedFleets | PreparationFailed:
            return prepare_fleets(
                action,
                self._sources,
                lambda settings: choose((), settings, instances.of(settings)),
                lambda hosts, settings: check(Balancers([], self._calls, config), hosts, settings.load_balancer),  # type: ignore[arg-type]
            )

        fleets = CloudFleets(self._calls, instances.of, self.now, every=0.05, limit=dt.timedelta(minutes=2))
        self._loop = asyncio.get_running_loop()
        platform = WithTraffic(FakePlatform(), balancers)
        self._driver = Driver(
            self.store, platform, FakeTrafficPlatform(), prepared, self._logs, self.now, fleets=fleets
        )
        self._began.set()
        await self._driver.run()

    def place(self, *instances: str) -> None:
        for name in instances:
            self.cloud.place(name, "127.0.0.1", self._port)

    def healthy(self) -> set[str]:
        return {name for name, state in self.cloud.states(self.target_group).items() if state == "healthy"}

    def make(self, wait: int = 60) -> None:
        self.client.create_application(applicationName="shop", computePlatform="Server")
        self.client.create_deployment_group(
            **PLACE,
            serviceRoleArn=ROLE,
            deploymentConfigName="CodeDeployDefault.AllAtOnce",
            autoScalingGroups=["web"],
            deploymentStyle=SHIFTED,
            loadBalancerInfo={"targetGroupInfoList": [{"name": "web"}]},
            blueGreenDeploymentConfiguration={
                "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
                "terminateBlueInstancesOnDeploymentSuccess": {
                    "action": "TERMINATE",
                    "terminationWaitTimeInMinutes": wait,
                },
                "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
            },
        )
        bucket = self.aws.client("s3")
        bucket.create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("appspec.yml", APPSPEC)
        bucket.put_object(Bucket="releases", Key="web.zip", Body=out.getvalue())

    def begin(self) -> tuple[str, list[str]]:
        """The deployment, and the instances of its copy, which have a web server."""
        location = {"bucket": "releases", "key": "web.zip", "bundleType": "zip"}
        made = self.deploy(PLACE, {"revisionType": "S3", "s3Location": location})
        name = f"CodeDeploy_live_{made}"
        describe = self.cloud.autoscaling.describe_auto_scaling_groups
        self.until(lambda: describe(AutoScalingGroupNames=[name])["AutoScalingGroups"] and self.cloud.members(name))
        self.place(*(members := self.cloud.members(name)))
        return made, members

    def names(self) -> list[str]:
        told = self.client.get_deployment_group(**PLACE)["deploymentGroupInfo"]
        return [each["name"] for each in told["autoScalingGroups"]]

    def groups(self) -> dict[str, list[str]]:
        """Auto Scaling group to the target groups that it is attached to."""
        told = self.cloud.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {each["AutoScalingGroupName"]: each["TargetGroupARNs"] for each in told}

    def waits_for_termination(self, made: str) -> None:
        self.until(lambda: self.get(made).get("instanceTerminationWaitTimeStarted"), within=120)


@pytest.fixture
def world(tmp_path: Path, aws: Cloud) -> Iterator[CopiedFleets]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        with CopiedFleets(tmp_path, aws, server.server_port) as made:
            yield made
    finally:
        server.shutdown()
        server.server_close()
        serving.join(20)


def labels(world: CopiedFleets, made: str) -> dict[str, set[str]]:
    def of(label: str) -> set[str]:
        told: Any = world.client.list_deployment_instances(deploymentId=made, instanceTypeFilter=[label])
        return set(told["instancesList"])

    return {label: of(label) for label in ("Blue", "Green")}


def test_a_copy_takes_over_and_is_what_is_copied_next(world: CopiedFleets) -> None:
    world.make()
    first, new = world.begin()
    world.waits_for_termination(first)
    assert world.healthy() == set(new)
    assert world.groups() == {"web": [], f"CodeDeploy_live_{first}": [world.target_group]}
    assert world.names() == [f"CodeDeploy_live_{first}"]
    world.later(minutes=60)
    assert world.ended(first)["status"] == "Succeeded"
    assert list(world.groups()) == [f"CodeDeploy_live_{first}"]
    assert labels(world, first) == {"Blue": set(world.old), "Green": set(new)}
    second, newest = world.begin()
    world.waits_for_termination(second)
    assert world.healthy() == set(newest)
    assert labels(world, second) == {"Blue": set(new), "Green": set(newest)}
    world.later(minutes=60)
    assert world.ended(second)["status"] == "Succeeded"
    assert list(world.groups()) == [f"CodeDeploy_live_{second}"]


def test_a_rollback_gives_traffic_and_group_back(world: CopiedFleets) -> None:
    world.make()
    made, _ = world.begin()
    world.waits_for_termination(made)
    world.client.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    stopped = world.ended(made)
    back = world.ended(stopped["rollbackInfo"]["rollbackDeploymentId"])
    assert (stopped["status"], back["status"]) == ("Stopped", "Succeeded")
    assert world.healthy() == set(world.old)
    assert world.names() == ["web"]
    assert world.groups() == {"web": [world.target_group], f"CodeDeploy_live_{made}": []}
