"""Where a deployment group's hosts get their traffic from."""

from runner.model.aws import AwsPlace
from runner.model.value import Value


class Backend(Value, frozen=True, kw_only=True):
    """A backend of a load balancer. *load_balancer*: its name in the runner's configuration."""

    load_balancer: str
    name: str

    def __str__(self) -> str:
        return f"{self.load_balancer}/{self.name}"


class LoadBalancing(Value, frozen=True, kw_only=True):
    """What every host of a group is behind; a host is blocked and allowed in all of it.

    *haproxy*: backends that it is a server of. *target_groups* (names or ARNs) and *classic* load balancers (names), in
    AWS at *place*: those are for EC2 instances; other hosts are none of their targets.
    """

    haproxy: tuple[Backend, ...] = ()
    target_groups: tuple[str, ...] = ()
    classic: tuple[str, ...] = ()
    place: AwsPlace = AwsPlace()

    @property
    def is_in_aws(self) -> bool:
        return bool(self.target_groups or self.classic)

    def __str__(self) -> str:
        named = [f"haproxy {backend}" for backend in self.haproxy]
        named += [f"target group {target_group_name(each)}" for each in self.target_groups]
        return ", ".join([*named, *(f"classic load balancer {each}" for each in self.classic)])


def target_group_name(target_group: str) -> str:
    """`web` of `arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef`, and of `web`."""
    return target_group.split("/")[1] if ":targetgroup/" in target_group else target_group
