"""Target groups of application, network and gateway load balancers, and an instance as one of their targets.

Source: Elastic Load Balancing API reference 2015-12-01, "TargetHealth" and "DeregisterTargets".
"""

from functools import partial
from typing import Any

from runner.aws import Aws, AwsError
from runner.errors import InvalidLoadBalancer
from runner.model.aws import AwsPlace
from runner.model.value import Value
from runner.threads import in_thread
from runner.traffic.looks import Looks
from runner.traffic.registration import GONE, Standing

_NOT_THERE = ("TargetGroupNotFound", "TargetGroupNotFoundException")
_DRAINING = ("draining", "unhealthy.draining")


class TargetGroup(Value, frozen=True, kw_only=True):
    """*kind*: `instance` or `ip`. *is_used*: a load balancer sends requests to it."""

    arn: str
    name: str
    kind: str
    port: int
    vpc: str
    is_ipv6: bool
    is_used: bool


class Target(Value, frozen=True, kw_only=True):
    """A target as DescribeTargetHealth has it. *words*: its state, with the reason for it."""

    port: int
    state: str
    reason: str
    words: str


class TargetGroups:
    """Those of one place. Belongs to one event loop. Raises `AwsError`."""

    def __init__(self, aws: Aws, place: AwsPlace, looks: Looks) -> None:
        self._aws, self._place, self._looks = aws, place, looks

    async def find(self, name: str) -> TargetGroup:
        """By name or ARN. Raises `InvalidLoadBalancer` when it is not there, or for other targets than instances."""
        return await self._looks.look((self._place, "target group", name), partial(self._find, name))

    async def targets(self, group: TargetGroup) -> dict[str, list[Target]]:
        """Its targets, by ID or address, each with one entry for every port; those that drain are among them."""
        return await self._looks.look((self._place, "health", group.arn), partial(self._targets, group))

    async def register(self, group: TargetGroup, target: str) -> None:
        await self._call("register_targets", TargetGroupArn=group.arn, Targets=[{"Id": target}])

    async def deregister(self, group: TargetGroup, target: str, ports: list[int]) -> None:
        targets = [{"Id": target, "Port": port} for port in ports]
        await self._call("deregister_targets", TargetGroupArn=group.arn, Targets=targets)

    def _find(self, name: str) -> TargetGroup:
        asked = {"TargetGroupArns": [name]} if name.startswith("arn:") else {"Names": [name]}
        try:
            answer = self._aws.call(self._place, "elbv2", "describe_target_groups", asked)
        except AwsError as error:
            if error.aws_code in _NOT_THERE:
                raise InvalidLoadBalancer(f"there is no target group {name} in {self._place}") from error
            raise
        return _target_group(answer["TargetGroups"][0])

    def _targets(self, group: TargetGroup) -> dict[str, list[Target]]:
        answer = self._aws.call(self._place, "elbv2", "describe_target_health", {"TargetGroupArn": group.arn})
        found: dict[str, list[Target]] = {}
        for each in answer["TargetHealthDescriptions"]:
            found.setdefault(each["Target"]["Id"], []).append(_target(each, group))
        return found

    async def _call(self, operation: str, **params: Any) -> None:
        await in_thread(partial(self._aws.call, self._place, "elbv2", operation, params))


class TargetOf:
    """Implements `Registrar`: the instance as *target* (its ID or address) of *group*."""

    def __init__(self, groups: TargetGroups, group: TargetGroup, target: str) -> None:
        self._groups, self._group, self._target = groups, group, target
        self._ports: list[int] = []

    @property
    def name(self) -> str:
        return f"target group {self._group.name}"

    async def look(self) -> Standing:
        entries = (await self._groups.targets(self._group)).get(self._target, [])
        registered = [each for each in entries if each.state not in _DRAINING]
        self._ports = [each.port for each in registered]
        if not entries:
            return GONE
        return Standing(
            is_registered=bool(registered),
            is_draining=not registered,
            is_healthy=all(each.state == "healthy" for each in registered),
            is_hopeless=any(each.reason == "Target.NotInUse" for each in registered),
            words=", ".join(dict.fromkeys(each.words for each in registered or entries)),
        )

    async def register(self) -> None:
        await self._groups.register(self._group, self._target)

    async def take_out(self) -> None:
        await self._groups.deregister(self._group, self._target, self._ports)


def _target_group(found: dict[str, Any]) -> TargetGroup:
    name, kind = found["TargetGroupName"], found.get("TargetType", "instance")
    if kind not in ("instance", "ip"):
        raise InvalidLoadBalancer(
            f"target group {name} has targets of type {kind}; instances can be in one of type instance or ip"
        )
    return TargetGroup(
        arn=found["TargetGroupArn"],
        name=name,
        kind=kind,
        port=found.get("Port", 0),
        vpc=found.get("VpcId", ""),
        is_ipv6=found.get("IpAddressType") == "ipv6",
        is_used=bool(found.get("LoadBalancerArns")),
    )


def _target(found: dict[str, Any], group: TargetGroup) -> Target:
    health = found["TargetHealth"]
    why = health.get("Description") or health.get("Reason")
    return Target(
        port=found["Target"].get("Port", group.port),
        state=health["State"],
        reason=health.get("Reason") or "",
        words=f"{health['State']} ({why})" if why else health["State"],
    )
