"""EC2 instances, an application load balancer and Auto Scaling groups, in a cloud of `support.cloud`.

world = Ec2World(aws)
name = world.instance(app="web")                        # running, with that tag, in the first zone
group, listener = world.target_group("web"), world.listener(group)
world.place(name, "127.0.0.1", 8081)                    # where its web server really listens
"""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.cloud import Cloud
from support.ecs_world import forward

IMAGE = "ami-12c6146b"  # one that moto always has
_PATIENCE = 60.0  # seconds


class Healthy(BaseHTTPRequestHandler):
    """Every instance's web server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class Ec2World:
    """*zones*: names of three availability zones, in order; *vpc*: the default one."""

    def __init__(self, aws: Cloud) -> None:
        self.aws = aws
        self.ec2, self.elbv2, self.elb = aws.client("ec2"), aws.client("elbv2"), aws.client("elb")
        self.autoscaling = aws.client("autoscaling")
        self.vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = sorted(self.ec2.describe_subnets()["Subnets"], key=lambda each: each["AvailabilityZone"])[:3]
        self.subnets = [each["SubnetId"] for each in subnets]
        self.zones = [each["AvailabilityZone"] for each in subnets]
        self._balancer = ""

    def instance(self, zone: int = 0, subnet: str | None = None, address: str | None = None, **tags: str) -> str:
        """The ID of a new one. *zone*: which of the three. *address*: its private one, of the *subnet*."""
        made = self.ec2.run_instances(
            ImageId=IMAGE,
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet or self.subnets[zone],
            **({"PrivateIpAddress": address} if address else {}),
            TagSpecifications=[{"ResourceType": "instance", "Tags": _tags(tags)}] if tags else [],
        )
        return str(made["Instances"][0]["InstanceId"])

    def place(self, instance: str, host: str, port: int) -> None:
        """Let load balancers find its web server there."""
        self.aws.ask("place_instance", instance=instance, host=host, port=port)

    def auto_scaling_group(self, name: str, size: int, **tags: str) -> list[str]:
        """The IDs of its instances."""
        if name not in {each["LaunchConfigurationName"] for each in self._launch_configurations()}:
            self.autoscaling.create_launch_configuration(
                LaunchConfigurationName=name, ImageId=IMAGE, InstanceType="t3.micro"
            )
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=name,
            MinSize=0,
            MaxSize=20,
            DesiredCapacity=size,
            VPCZoneIdentifier=",".join(self.subnets),
            Tags=[{**each, "PropagateAtLaunch": True} for each in _tags(tags)],
        )
        return self.members(name)

    def members(self, name: str) -> list[str]:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
        return [each["InstanceId"] for each in found["Instances"]]

    def target_group(self, name: str, *, draining: float = 10, kind: str = "instance", **more: Any) -> str:
        """Its ARN. It asks every half second (5 s in AWS' time); *draining*: seconds, in AWS' time."""
        settings = {"HealthCheckIntervalSeconds": 5, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}
        made = self.elbv2.create_target_group(
            **{**settings, "Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, **more}, Name=name, TargetType=kind
        )
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": str(draining)}
        self.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
        return arn

    def listener(self, group: str, port: int = 80) -> str:
        """One of the application load balancer that forwards to *group*; its ARN."""
        if not self._balancer:
            made = self.elbv2.create_load_balancer(Name="front", Subnets=self.subnets)
            self._balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
        made = self.elbv2.create_listener(
            LoadBalancerArn=self._balancer, Protocol="HTTP", Port=port, DefaultActions=[forward({group: 1})]
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def open(self, listener: str) -> int:
        """The local port where the load balancer takes requests."""
        return int(self.aws.ask("open_listener", listener=listener))

    def register(self, group: str, *instances: str, port: int | None = None) -> None:
        targets = [{"Id": each, **({"Port": port} if port else {})} for each in instances]
        self.elbv2.register_targets(TargetGroupArn=group, Targets=targets)

    def states(self, group: str) -> dict[str, str]:
        """Target to its state; those that drain are among them."""
        told = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in told}

    def classic(self, name: str, *, draining: int = 0, path: str = "/health") -> None:
        """A classic load balancer; *draining*: seconds, in AWS' time."""
        listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
        self.elb.create_load_balancer(LoadBalancerName=name, Listeners=[listener], AvailabilityZones=self.zones)
        check = {"Target": f"HTTP:80{path}", "Interval": 5, "Timeout": 2}
        self.elb.configure_health_check(
            LoadBalancerName=name, HealthCheck={**check, "HealthyThreshold": 2, "UnhealthyThreshold": 2}
        )
        drain = {"Enabled": draining > 0, "Timeout": draining or 300}
        self.elb.modify_load_balancer_attributes(
            LoadBalancerName=name, LoadBalancerAttributes={"ConnectionDraining": drain}
        )

    def states_of_classic(self, name: str) -> dict[str, str]:
        told = self.elb.describe_instance_health(LoadBalancerName=name)["InstanceStates"]
        return {each["InstanceId"]: each["State"] for each in told}

    def until(self, condition: Callable[[], object], within: float = _PATIENCE) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"waited {within:g} s in vain"
            time.sleep(0.02)

    def _launch_configurations(self) -> list[dict[str, Any]]:
        return list(self.autoscaling.describe_launch_configurations()["LaunchConfigurations"])


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
