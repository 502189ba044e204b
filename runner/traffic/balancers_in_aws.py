"""Port `Traffic` for target groups and classic load balancers."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from runner.aws import Aws, AwsError
from runner.config import InstancesConfig
from runner.errors import InvalidLoadBalancer, LoadBalancerFailed
from runner.model.aws import AwsPlace
from runner.model.target import Host
from runner.model.traffic import LoadBalancing
from runner.ports import Report
from runner.threads import in_thread
from runner.traffic.elb import ClassicBalancers, InstanceOf
from runner.traffic.elbv2 import TargetGroup, TargetGroups, TargetOf
from runner.traffic.looks import Looks
from runner.traffic.registration import Registrar, Registration
from runner.traffic.together import together

_AT_ONCE = 200  # values of a filter of DescribeInstances


class BalancersInAws:
    """Implements port `Traffic`. Hosts that are no EC2 instances are no targets: nothing is done with them.

    Belongs to the event loop in which it is used first. Keeps nothing: what is registered is asked of AWS.
    """

    def __init__(self, aws: Aws, config: InstancesConfig) -> None:
        self._aws, self._config = aws, config
        self._looks = Looks()

    async def block(self, host: Host, where: LoadBalancing, report: Report) -> None:
        await together([each.block() for each in await self._registrations(host, where, report)])

    async def allow(self, host: Host, where: LoadBalancing, report: Report) -> None:
        await together([each.allow() for each in await self._registrations(host, where, report)])

    async def check(self, hosts: Sequence[Host], where: LoadBalancing) -> None:
        """Also raises `AwsError`, which names a permission that is missing."""
        instances = {host.instance: host for host in hosts if host.instance}
        if not where.is_in_aws or not instances:
            return
        described = await self._described(where.place, list(instances))
        for name, host in instances.items():
            if name not in described:
                raise InvalidLoadBalancer(
                    f"host {host.name} is the instance {name}, which is not there in {where.place}"
                )
        for name in where.target_groups:
            await self._check_target_group(name, described, where.place)
        for name in where.classic:
            vpc = await self._classics(where.place).vpc(name)
            _check_vpc(f"classic load balancer {name}", vpc, described)

    async def _registrations(self, host: Host, where: LoadBalancing, report: Report) -> list[Registration]:
        if not where.is_in_aws:
            return []
        if not host.instance:
            report(f"{host.name} is no EC2 instance: load balancers in AWS do not know it, and nothing is done there\n")
            return []
        name = host.instance if host.name == host.instance else f"{host.name} ({host.instance})"
        try:
            registrars = [each async for each in self._registrars(host, where)]
        except (AwsError, InvalidLoadBalancer) as error:
            raise LoadBalancerFailed(f"{name}: {error.message}", retryable=False) from error
        return [Registration(each, name, self._config, report) for each in registrars]

    async def _registrars(self, host: Host, where: LoadBalancing) -> AsyncIterator[Registrar]:
        groups = self._groups(where.place)
        for name in where.target_groups:
            group = await groups.find(name)
            yield TargetOf(groups, group, await self._target(host, group, where.place))
        for name in where.classic:
            yield InstanceOf(self._classics(where.place), name, host.instance)

    async def _target(self, host: Host, group: TargetGroup, place: AwsPlace) -> str:
        """What *group* calls the host: the instance's ID, or its private address."""
        if group.kind == "instance":
            return host.instance
        described = await self._described(place, [host.instance])
        return _address(described.get(host.instance, {}), group)

    async def _check_target_group(self, name: str, described: dict[str, Any], place: AwsPlace) -> None:
        groups = self._groups(place)
        group = await groups.find(name)
        if not group.is_used:
            raise InvalidLoadBalancer(
                f"no load balancer sends requests to target group {group.name}, so that nothing in it would ever be "
                "healthy; name it in a listener or in a rule"
            )
        if group.kind == "instance":
            _check_vpc(f"target group {group.name}", group.vpc, described)
        targets = await groups.targets(group)
        for instance, found in described.items():
            target = instance if group.kind == "instance" else _address(found, group)
            for port in (each.port for each in targets.get(target, ()) if each.port != group.port):
                raise InvalidLoadBalancer(
                    f"{instance} is registered with target group {group.name} at port {port}, and would come back at the "
                    f"group's own, {group.port}; make a target group for port {port}"
                )

    async def _described(self, place: AwsPlace, instances: list[str]) -> dict[str, Any]:
        """The instances that are there, by ID, as DescribeInstances has them."""
        found: dict[str, Any] = {}
        for start in range(0, len(instances), _AT_ONCE):
            asked = {"Filters": [{"Name": "instance-id", "Values": instances[start : start + _AT_ONCE]}]}
            ask = partial(self._aws.pages, place, "ec2", "describe_instances", asked, "Reservations")
            for reservation in await in_thread(ask):
                found |= {each["InstanceId"]: each for each in reservation["Instances"]}
        return found

    def _groups(self, place: AwsPlace) -> TargetGroups:
        return TargetGroups(self._aws, place, self._looks)

    def _classics(self, place: AwsPlace) -> ClassicBalancers:
        return ClassicBalancers(self._aws, place, self._looks)


def _address(found: dict[str, Any], group: TargetGroup) -> str:
    own = found.get("Ipv6Address" if group.is_ipv6 else "PrivateIpAddress")
    if group.is_ipv6 and not own:
        interfaces = found.get("NetworkInterfaces") or ()
        own = next((each["Ipv6Address"] for one in interfaces for each in one.get("Ipv6Addresses") or ()), None)
    if not own:
        kind = "IPv6" if group.is_ipv6 else "private"
        raise InvalidLoadBalancer(
            f"{found.get('InstanceId', 'the instance')} has no {kind} address, by which target group {group.name} would "
            "know it"
        )
    return str(own)


def _check_vpc(what: str, vpc: str, described: dict[str, Any]) -> None:
    for name, found in described.items():
        own = found.get("VpcId") or ""
        if vpc and own and own != vpc:
            raise InvalidLoadBalancer(f"{what} is in {vpc}, and {name} in {own}: it cannot be registered there")
