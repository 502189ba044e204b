"""A service behind a load balancer, ready to be deployed to, in a cloud of `support.cloud`.

    world = EcsWorld(aws)                               # VPC, two target groups, production and test listeners, a cluster
    world.serve(controller="EXTERNAL", desired=2)       # blue serves, steady, all traffic goes to it
    green = world.task_definition(image="web:2")

Requests to `world.open(world.listener)`, a port on 127.0.0.1, reach the tasks and are answered with their task definition.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from support.cloud import Cloud

CLUSTER, SERVICE, CONTAINER, PORT = "main", "web", "web", 8080
# What a manifest has rendered and registered, and what a repository of images is given.
TASK_DEFINITION = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {"name": CONTAINER, "image": "set by the deployment", "portMappings": [{"containerPort": PORT}]}
    ],
}
IMAGE = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"digest": f"sha256:{'a' * 64}"},
    "layers": [],
}


class EcsWorld:
    """*health*: how both target groups check, as CreateTargetGroup takes it. *draining*: seconds, in AWS' time."""

    def __init__(self, aws: Cloud, *, health: Mapping[str, Any] | None = None, draining: float = 10) -> None:
        self.aws = aws
        self.ecs, self.elbv2 = aws.client("ecs"), aws.client("elbv2")
        ec2 = aws.client("ec2")
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        self.network = {"awsvpcConfiguration": {"subnets": self.subnets}}
        self.blue, self.green = (self.target_group(name, health or {}, draining) for name in ("blue", "green"))
        made = self.elbv2.create_load_balancer(Name="front", Subnets=self.subnets)
        self.load_balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.listener, self.test_listener = self.add_listener(80), self.add_listener(9000)
        self.ecs.create_cluster(clusterName=CLUSTER)

    def target_group(
        self, name: str, health: Mapping[str, Any] | None = None, draining: float = 10, kind: str = "ip"
    ) -> str:
        """Its ARN. It asks every half second (5 s in AWS' time)."""
        settings = {"HealthCheckIntervalSeconds": 5, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}
        made = self.elbv2.create_target_group(
            **{**settings, **(health or {})}, Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType=kind
        )
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": str(draining)}
        self.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
        return str(arn)

    def add_listener(self, port: int) -> str:
        """One that forwards to blue."""
        made = self.elbv2.create_listener(
            LoadBalancerArn=self.load_balancer, Protocol="HTTP", Port=port, DefaultActions=[forward({self.blue: 1})]
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def task_definition(self, image: str = "web:1", **container: Any) -> str:
        """Its ARN."""
        made = self.ecs.register_task_definition(
            family="web",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": CONTAINER, "image": image, "portMappings": [{"containerPort": PORT}], **container}
            ],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def balanced(self, group: str) -> list[dict[str, Any]]:
        """`loadBalancers` for tasks that take requests from *group*."""
        return [{"targetGroupArn": group, "containerName": CONTAINER, "containerPort": PORT}]

    def create(self, controller: str, desired: int = 2, **more: Any) -> dict[str, Any]:
        """The service, as CreateService tells it; EXTERNAL has no tasks then."""
        given = {"deploymentController": {"type": controller}, "desiredCount": desired, **more}
        if controller != "EXTERNAL":
            tasks = {"loadBalancers": self.balanced(self.blue), "launchType": "FARGATE"}
            given = {**tasks, "networkConfiguration": self.network, **given}
            given.setdefault("taskDefinition", self.task_definition())
        return dict(self.ecs.create_service(cluster=CLUSTER, serviceName=SERVICE, **given)["service"])

    def serve(self, controller: str = "EXTERNAL", desired: int = 2, **more: Any) -> None:
        """The service, with tasks in blue that are healthy."""
        self.create(controller, desired, **more)
        if controller == "EXTERNAL":
            first = self.task_set(self.task_definition(), self.blue)
            self.ecs.update_service_primary_task_set(
                cluster=CLUSTER, service=SERVICE, primaryTaskSet=first["taskSetArn"]
            )
        self.until(lambda: self.states(self.blue) == ["healthy"] * desired)
        self.until(self.is_steady)

    def task_set(self, definition: str, group: str, scale: float = 100, **more: Any) -> dict[str, Any]:
        made = self.ecs.create_task_set(
            cluster=CLUSTER,
            service=SERVICE,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self.network,
            loadBalancers=self.balanced(group),
            scale={"value": scale, "unit": "PERCENT"},
            **more,
        )
        return dict(made["taskSet"])

    def service(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0])

    def task_sets(self) -> list[dict[str, Any]]:
        return list(self.service()["taskSets"])

    def is_steady(self) -> bool:
        told = self.service()
        sets = [each["stabilityStatus"] for each in told["taskSets"]]
        return (
            set(sets) == {"STEADY_STATE"}
            if sets
            else [each["rolloutState"] for each in told["deployments"]] == ["COMPLETED"]
        )

    def states(self, group: str) -> list[str]:
        """The health of each target of *group*."""
        told = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in told]

    def shift(self, blue: int, green: int, listener: str | None = None) -> None:
        """Weights of a listener, the production listener if none is named."""
        weights = {self.blue: blue, self.green: green}
        self.elbv2.modify_listener(ListenerArn=listener or self.listener, DefaultActions=[forward(weights)])

    def open(self, listener: str) -> int:
        """The port on 127.0.0.1 where *listener* answers."""
        return int(self.aws.ask("open_listener", listener=listener))

    def until(self, condition: Callable[[], object], within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"waited {within:g} s in vain; {self._says()}"
            time.sleep(0.02)

    def _says(self) -> str:
        events = self.service().get("events", []) if self.ecs.list_services(cluster=CLUSTER)["serviceArns"] else []
        return "\n".join(each["message"] for each in events[:10])


def forward(weights: Mapping[str, int]) -> dict[str, Any]:
    """A forward action with a weight for each target group."""
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
