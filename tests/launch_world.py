"""A Penstock behind its wire API, in this process, that looks after Auto Scaling groups of the fixture `aws`.

    with LaunchWorld(folder, aws) as world:
        place = world.servers("web")                 # a deployment group of the Auto Scaling group `web`
        world.ended(world.release(place, "one"))
        (new,) = world.launch("web")
        world.until(lambda: world.state("web", new) == "InService")
        world.end(new)
        world.until(lambda: world.state("web", new) == "")

Nothing runs on the instances: `world.has` says which revision each was given and was not stopped, `world.broken` on which
keys Install fails, and ApplicationStop of an instance that ends; while `world.held` is set no BlockTraffic and no last event
of a host ends. Everything else is real.
"""

import asyncio
import threading
from pathlib import Path
from typing import Any

from aws_world import AwsWorld
from fakes.platform import FakePlatform
from fakes.traffic_platform import FakeTrafficPlatform
from support.cloud import Cloud
from support.ec2_world import Ec2World
from support.functions import archive
from traffic_shapes import ROLE
from waiting import until

from runner.config import InstancesConfig
from runner.execute.driver import Driver
from runner.execute.prepare import prepare
from runner.inventory.ec2 import Ec2Instances
from runner.model.command import Command, Outcome
from runner.model.work import PreparationFailed, Prepare, Prepared
from runner.ports import Report
from runner.watch.auto_scaling import AutoScalingWatch

BUCKET = "releases"
_APPSPEC = "version: 0.0\nos: linux\n"


class LaunchWorld(AwsWorld):
    """See above."""

    def __init__(self, folder: Path, aws: Cloud) -> None:
        super().__init__(folder, aws)
        self.ec2 = Ec2World(aws)
        self.has: dict[str, str] = {}
        self.broken: set[str] = set()
        self.held = threading.Event()
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def servers(self, group: str, config: str = "CodeDeployDefault.AllAtOnce", **settings: Any) -> dict[str, str]:
        """A new application with one deployment group, of the Auto Scaling group *group*."""
        return self._group("Server", config, serviceRoleArn=ROLE, **{"autoScalingGroups": [group], **settings})

    def release(self, place: dict[str, str], key: str) -> str:
        """A deployment of the object *key*, which is there afterwards."""
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive(_APPSPEC, "appspec.yml"))
        location = {"bucket": BUCKET, "key": key, "bundleType": "zip"}
        return self.deploy(place, {"revisionType": "S3", "s3Location": location})

    def launch(self, group: str, more: int = 1) -> list[str]:
        """The IDs of the instances that come when *group* grows."""
        before = set(self.ec2.members(group))
        size = len(before) + more
        self.ec2.autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=size)
        return sorted(set(self.ec2.members(group)) - before)

    def end(self, instance: str) -> None:
        """Auto Scaling is to end it, and launches none in its place."""
        self.ec2.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=True
        )

    def known(self, place: dict[str, str]) -> set[str]:
        """The hosts that the deployment group has, as far as it knows."""
        found = self.store.instance_health(place["applicationName"], place["deploymentGroupName"])
        return {each.target for each in found}

    def state(self, group: str, instance: str) -> str:
        """Its place in its life; empty when it is none of the group's."""
        found = self.ec2.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        states = {each["InstanceId"]: str(each["LifecycleState"]) for each in found[0]["Instances"]}
        return states.get(instance, "")

    def hooks(self, group: str) -> list[dict[str, Any]]:
        return list(self.ec2.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"])

    def made(self, creator: str) -> list[dict[str, Any]]:
        """The deployments of *creator*, in order of their creation."""
        ids = self.client.list_deployments()["deployments"]
        return [told for each in reversed(ids) if (told := self.get(each))["creator"] == creator]

    def targets(self, deployment_id: str) -> dict[str, list[str]]:
        """Target to its lifecycle events."""
        names = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        told = self.client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=names)
        return {
            each["instanceTarget"]["targetId"]: [
                event["lifecycleEventName"] for event in each["instanceTarget"]["lifecycleEvents"]
            ]
            for each in told["deploymentTargets"]
        }

    async def _drive(self) -> None:
        instances = Ec2Instances(self._calls, InstancesConfig())

        def prepared(action: Prepare) -> Prepared | PreparationFailed:
            return prepare(action.deployment, self._sources, list, lambda hosts, settings: None, instances.of)

        self._loop = asyncio.get_running_loop()
        platform = FakePlatform(self._run)
        self._driver = Driver(self.store, platform, FakeTrafficPlatform(), prepared, self._logs, self.now)
        watch = AutoScalingWatch(
            self._calls, self.store.lifecycle_actions, clock=self.now, interval=0.1, begun=self._driver.wake
        )
        watching = asyncio.create_task(watch.run())
        self._began.set()
        try:
            await self._driver.run()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _run(self, command: Command, report: Report) -> Outcome:
        key, ends = getattr(command.job.revision, "key", ""), command.job.creator == "autoscalingTermination"
        if command.is_last or command.lifecycle_event == "BlockTraffic":
            await until(lambda: not self.held.is_set(), within=60)
        if command.lifecycle_event == ("ApplicationStop" if ends else "Install"):
            if key in self.broken:
                return Outcome(succeeded=False)
            self.has[command.host.name] = key
            if ends:
                del self.has[command.host.name]
        return Outcome(succeeded=True)
