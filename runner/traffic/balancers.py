"""Port `Traffic` over all kinds of load balancers: each does its part of what a group names."""

import asyncio
from collections.abc import Iterable, Sequence

from runner.aws import Aws
from runner.config import InstancesConfig, LoadBalancerConfig
from runner.model.target import Host
from runner.model.traffic import LoadBalancing
from runner.ports import Report, Traffic
from runner.traffic.balancers_in_aws import BalancersInAws
from runner.traffic.haproxy import Haproxy
from runner.traffic.together import together


class Balancers:
    """Implements port `Traffic`. Belongs to the event loop in which it is used first."""

    def __init__(self, haproxies: Iterable[LoadBalancerConfig], aws: Aws, config: InstancesConfig) -> None:
        self._kinds: tuple[Traffic, ...] = (Haproxy(haproxies), BalancersInAws(aws, config))

    async def block(self, host: Host, where: LoadBalancing, report: Report) -> None:
        await together(kind.block(host, where, report) for kind in self._kinds)

    async def allow(self, host: Host, where: LoadBalancing, report: Report) -> None:
        await together(kind.allow(host, where, report) for kind in self._kinds)

    async def check(self, hosts: Sequence[Host], where: LoadBalancing) -> None:
        for kind in self._kinds:
            await kind.check(hosts, where)


def check(balancers: Balancers, hosts: Sequence[Host], where: LoadBalancing) -> None:
    """`balancers.check`, for a thread: in a loop of its own."""
    asyncio.run(balancers.check(hosts, where))
