"""Which hosts there are: the configured ones, and those that were registered through the wire API."""

from collections.abc import Iterable

from runner.model.application import OnPremisesInstance
from runner.model.target import Host


def hosts(configured: Iterable[Host], instances: Iterable[OnPremisesInstance]) -> tuple[Host, ...]:
    """The configured hosts, then the registered ones in their order. A registered host is reached by its agent.

    A name that is configured counts as configured. Deregistered instances are no hosts.
    """
    known = {host.name: host for host in configured}
    for instance in instances:
        if instance.deregistered_at is None:
            known.setdefault(instance.name, Host(name=instance.name, transport="agent", tags=instance.tags))
    return tuple(known.values())
