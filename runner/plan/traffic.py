"""Whether the load balancer of a deployment group is known."""

from collections.abc import Collection

from runner.errors import InvalidLoadBalancer
from runner.model.manifest import GroupSettings
from runner.schema import did_you_mean


def check_load_balancer(settings: GroupSettings, known: Collection[str]) -> None:
    """*known*: names of the load balancers in the runner's configuration. Raises `InvalidLoadBalancer`."""
    if settings.load_balancer is None:
        return
    for backend in settings.load_balancer.haproxy:
        if backend.load_balancer not in known:
            raise InvalidLoadBalancer(
                f"deployment group {settings.name} is behind {backend}, but the runner's configuration has no load balancer "
                f"{backend.load_balancer}{did_you_mean(backend.load_balancer, known)}; describe it in penstock.toml, under "
                f"[load_balancers.{backend.load_balancer}]"
            )
