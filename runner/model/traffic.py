"""Where a deployment group's hosts get their traffic from."""

from runner.model.value import Value


class Backend(Value, frozen=True, kw_only=True):
    """A backend of a load balancer. *load_balancer*: its name in the runner's configuration."""

    load_balancer: str
    name: str

    def __str__(self) -> str:
        return f"{self.load_balancer}/{self.name}"


class LoadBalancing(Value, frozen=True, kw_only=True):
    """The backends that every host of a group is a server of; a host is blocked and allowed in all of them."""

    haproxy: tuple[Backend, ...]

    def __str__(self) -> str:
        return ", ".join(f"haproxy {backend}" for backend in self.haproxy)
