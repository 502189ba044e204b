"""A copied Auto Scaling group takes over, and the runner is killed with -9 right after each call that changes something.

The real program, boto3 and agents; nothing runs on the instances but a web server that is well.
"""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from official_agent import OfficialAgent
from serving import Server, serving
from support.cloud import Call, Cloud
from support.ec2_world import Ec2World, Healthy
from support.functions import archive, role
from traffic_shapes import ROLE
from wire.served import CONFIG, ServedAws

PLACE = {"applicationName": "shop", "deploymentGroupName": "live"}
COPIED = {
    "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
    "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
}
# Every call of the deployment that changes something, in order, and what it is about.
CALLS = [
    ("autoscaling", "CreateAutoScalingGroup", "copy"),
    ("elbv2", "RegisterTargets", "new"),
    ("elbv2", "DeregisterTargets", "old"),
    ("autoscaling", "AttachLoadBalancerTargetGroups", "copy"),
    ("autoscaling", "DetachLoadBalancerTargetGroups", "web"),
    ("autoscaling", "DeleteAutoScalingGroup", "web"),
]
WATCHED = ("PutLifecycleHook", "DeleteLifecycleHook")  # by who looks after launches, whenever that has its turn
PATIENCE = 120.0  # seconds


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    answering = threading.Thread(target=server.serve_forever, daemon=True)
    answering.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    answering.join(20)


class Shop:
    """The Auto Scaling group `web` with one instance, which has the traffic and an agent; deployments copy the group."""

    def __init__(self, folder: Path, aws: Cloud, server: Server, port: int) -> None:
        self.aws, self.server, self.served = aws, server, ServedAws(server, aws)
        self.world = Ec2World(aws)
        self._folder, self._port = folder, port
        self._agents: list[OfficialAgent] = []
        role(aws, "deploys")
        self.target_group = self.world.target_group("web")
        self.world.listener(self.target_group)  # without one, nobody looks at the targets' health
        (self.old,) = self.world.auto_scaling_group("web", 1)
        self.new = ""
        self.begins_to_serve(self.old)
        self.world.autoscaling.attach_load_balancer_target_groups(
            AutoScalingGroupName="web", TargetGroupARNs=[self.target_group]
        )
        self.world.until(lambda: self.healthy() == [self.old], PATIENCE)
        self._make_group()

    def _make_group(self) -> None:
        client = self.served.client
        client.create_application(applicationName="shop", computePlatform="Server")
        client.create_deployment_group(
            **PLACE,
            serviceRoleArn=ROLE,
            deploymentConfigName="CodeDeployDefault.AllAtOnce",
            autoScalingGroups=["web"],
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            loadBalancerInfo={"targetGroupInfoList": [{"name": "web"}]},
            blueGreenDeploymentConfiguration=COPIED,
        )
        bucket = self.aws.client("s3")
        bucket.create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        bucket.put_object(Bucket="releases", Key="web.zip", Body=archive("version: 0.0\nos: linux\n", "appspec.yml"))

    def begins_to_serve(self, instance: str) -> None:
        self.world.place(instance, "127.0.0.1", self._port)
        key = self.server.key("host", "--host", instance)
        agent = OfficialAgent(
            self.server.url,
            self._folder / f"agent-{instance}",
            key=(key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"]),
            identifier=f"arn:aws:ec2:eu-west-1:111122223333:instance/{instance}",
            more_retries=2000,  # for as long as it takes to start the server again
        )
        self._agents.append(agent.start())

    def close(self) -> None:
        """The server ends before its agents: they wait for what it has to say."""
        for agent in self._agents:
            agent.die()
        self.server.kill()
        for agent in self._agents:
            agent.stop()

    def deploy(self) -> str:
        location = {"bucket": "releases", "key": "web.zip", "bundleType": "zip"}
        asked = {"revisionType": "S3", "s3Location": location}
        return str(self.served.client.create_deployment(**PLACE, revision=asked)["deploymentId"])

    def launched(self, deployment_id: str) -> None:
        """The instance of the copy is there, and answers."""
        name = f"CodeDeploy_live_{deployment_id}"
        self.world.until(lambda: name in self.groups() and self.world.members(name), PATIENCE)
        (self.new,) = self.world.members(name)
        self.begins_to_serve(self.new)

    def groups(self) -> dict[str, list[str]]:
        """Auto Scaling group to the target groups that it is attached to."""
        told = self.world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {each["AutoScalingGroupName"]: each["TargetGroupARNs"] for each in told}

    def healthy(self) -> list[str]:
        return [name for name, state in self.world.states(self.target_group).items() if state == "healthy"]

    def ended(self, deployment_id: str) -> None:
        over = ("Succeeded", "Failed", "Stopped")
        self.world.until(lambda: self.served.get(deployment_id)["status"] in over, PATIENCE)
        told = self.served.get(deployment_id)
        assert told["status"] == "Succeeded", f"{told}\n{self.server.log}"

    def effects(self) -> list[tuple[str, str, str]]:
        """What each call did, in order. One that is repeated and says the same changes nothing."""
        calls = [each for each in self.aws.calls(mutating=True) if each.carried_out and each.status < 400]
        done = [self._effect(each) for each in calls if each.operation not in WATCHED]
        return [each for index, each in enumerate(done) if each not in done[:index][-1:]]

    def _effect(self, call: Call) -> tuple[str, str, str]:
        params: dict[str, Any] = call.params
        if call.service == "elbv2":
            (target,) = params["Targets"]
            return call.service, call.operation, {self.old: "old", self.new: "new"}[target["Id"]]
        name = params["AutoScalingGroupName"]
        return call.service, call.operation, "web" if name == "web" else "copy"


@pytest.fixture
def shop(tmp_path: Path, aws: Cloud, port: int) -> Iterator[Shop]:
    config = tmp_path / "penstock.toml"
    config.write_text(CONFIG + '[instances]\ntransport = "agent"\n')
    with serving(config, tmp_path / "state", aws.environ) as server:
        made = Shop(tmp_path, aws, server, port)
        try:
            yield made
        finally:
            made.close()


def check_what_is_left(shop: Shop, deployment_id: str) -> None:
    assert shop.effects() == CALLS
    assert shop.groups() == {f"CodeDeploy_live_{deployment_id}": [shop.target_group]}
    assert shop.healthy() == [shop.new]
    told = shop.world.ec2.describe_instances(InstanceIds=[shop.old, shop.new])["Reservations"]
    states = {each["InstanceId"]: each["State"]["Name"] for one in told for each in one["Instances"]}
    assert states == {shop.old: "terminated", shop.new: "running"}


def test_a_copy_takes_over_with_one_call_for_each_thing_that_changes(shop: Shop) -> None:
    shop.aws.forget()
    made = shop.deploy()
    shop.launched(made)
    shop.ended(made)
    check_what_is_left(shop, made)


def test_killed_after_each_call_a_copy_takes_over_with_the_same_effects(shop: Shop) -> None:
    """One deployment, six kills: each process goes on until it has made the next call, whose answer it never sees."""
    shop.aws.forget()
    made = ""
    for service, operation, _ in CALLS:
        with shop.aws.hold(service, operation, carried_out=True) as held:
            if made:
                shop.server.start()
            else:
                made = shop.deploy()
            if operation == "RegisterTargets":
                shop.launched(made)
            held.wait_for(1, within=PATIENCE)
            shop.server.kill()
    shop.server.start()
    shop.ended(made)
    check_what_is_left(shop, made)
