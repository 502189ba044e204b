"""Classic load balancers, and an instance that is registered with one.

Source: Elastic Load Balancing API reference 2012-06-01, "DescribeInstanceHealth"; guide for Classic Load Balancers,
"Configure connection draining".
"""

from functools import partial
from typing import Any

from runner.aws import Aws, AwsError
from runner.errors import InvalidLoadBalancer
from runner.model.aws import AwsPlace
from runner.threads import in_thread
from runner.traffic.looks import Looks
from runner.traffic.registration import GONE, Standing

_NOT_THERE = ("LoadBalancerNotFound", "AccessPointNotFound")
_NO_SUCH_INSTANCE = ("InvalidInstance", "InvalidEndPoint", "InvalidEndPointException")
_DRAINING = "deregistration currently in progress"  # in the description; the state is InService still


class ClassicBalancers:
    """Those of one place. Belongs to one event loop. Raises `AwsError`."""

    def __init__(self, aws: Aws, place: AwsPlace, looks: Looks) -> None:
        self._aws, self._place, self._looks = aws, place, looks

    async def vpc(self, name: str) -> str:
        """The VPC that a load balancer is in. Raises `InvalidLoadBalancer` when there is no such one."""
        return await self._looks.look((self._place, "classic", name), partial(self._vpc, name))

    async def standing(self, name: str, instance: str) -> Standing:
        """One that drains need not be in the list of all, so that one is asked about that is not there."""
        key = (self._place, "instances", name)
        everybody = await self._looks.look(key, partial(self._health, name))
        if instance in everybody:
            return _standing(everybody[instance])
        return await in_thread(partial(self._alone, name, instance))

    async def register(self, name: str, instance: str) -> None:
        await self._change("register_instances_with_load_balancer", name, instance)

    async def deregister(self, name: str, instance: str) -> None:
        await self._change("deregister_instances_from_load_balancer", name, instance)

    def _vpc(self, name: str) -> str:
        try:
            answer = self._call("describe_load_balancers", LoadBalancerNames=[name])
        except AwsError as error:
            if error.aws_code in _NOT_THERE:
                raise InvalidLoadBalancer(f"there is no classic load balancer {name} in {self._place}") from error
            raise
        return str(answer["LoadBalancerDescriptions"][0].get("VPCId") or "")

    def _health(self, name: str, **asked: Any) -> dict[str, dict[str, Any]]:
        answer = self._call("describe_instance_health", LoadBalancerName=name, **asked)
        return {each["InstanceId"]: each for each in answer["InstanceStates"]}

    def _alone(self, name: str, instance: str) -> Standing:
        try:
            found = self._health(name, Instances=[{"InstanceId": instance}]).get(instance)
        except AwsError as error:
            if error.aws_code in _NO_SUCH_INSTANCE:
                return GONE
            raise
        return _standing(found) if found else GONE

    async def _change(self, operation: str, name: str, instance: str) -> None:
        params = {"LoadBalancerName": name, "Instances": [{"InstanceId": instance}]}
        await in_thread(partial(self._call, operation, **params))

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._aws.call(self._place, "elb", operation, params)


class InstanceOf:
    """Implements `Registrar`: the *instance* at the classic load balancer *balancer*."""

    def __init__(self, balancers: ClassicBalancers, balancer: str, instance: str) -> None:
        self._balancers, self._balancer, self._instance = balancers, balancer, instance

    @property
    def name(self) -> str:
        return f"classic load balancer {self._balancer}"

    async def look(self) -> Standing:
        return await self._balancers.standing(self._balancer, self._instance)

    async def register(self) -> None:
        await self._balancers.register(self._balancer, self._instance)

    async def take_out(self) -> None:
        await self._balancers.deregister(self._balancer, self._instance)


def _standing(found: dict[str, Any]) -> Standing:
    state, why = found["State"], found.get("Description") or "N/A"
    is_draining = _DRAINING in why
    return Standing(
        is_registered=not is_draining,
        is_draining=is_draining,
        is_healthy=state == "InService" and not is_draining,
        words=state if why == "N/A" else f"{state} ({why})",
    )
