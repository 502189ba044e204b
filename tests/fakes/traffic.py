"""A `Traffic` without a load balancer: what the hosts do, and how patient it is, is up to the test."""

import asyncio
from collections.abc import Sequence

from runner.errors import InvalidLoadBalancer, LoadBalancerFailed
from runner.model.target import Host
from runner.model.traffic import LoadBalancing
from runner.ports import Report


class FakeTraffic:
    """*in_traffic*: the names of hosts that get requests, of all that are known. *sessions*: under way, by host.

    *drain_looks*, *up_looks*: how often it looks until its patience ends; *cuts_off*: whether it then lets sessions be
    cut off.
    """

    def __init__(self, *known: str, drain_looks: int = 1000, up_looks: int = 1000, cuts_off: bool = True) -> None:
        self.known = known
        self.in_traffic = set(known)
        self.sessions = dict.fromkeys(known, 0)
        self.sick: set[str] = set()
        self._drain_looks, self._up_looks, self._cuts_off = drain_looks, up_looks, cuts_off

    async def block(self, host: Host, where: LoadBalancing, report: Report) -> None:
        self._find(host)
        self.in_traffic.discard(host.name)
        for _ in range(self._drain_looks):
            if not self.sessions[host.name]:
                break
            await asyncio.sleep(0.001)
        else:
            if not self._cuts_off:
                raise LoadBalancerFailed(f"{host.name} still has {self.sessions[host.name]} sessions", retryable=False)
        report(f"{host.name}: out of traffic\n")

    async def allow(self, host: Host, where: LoadBalancing, report: Report) -> None:
        self._find(host)
        for _ in range(self._up_looks):
            if host.name not in self.sick:
                self.in_traffic.add(host.name)
                report(f"{host.name}: in traffic\n")
                return
            await asyncio.sleep(0.001)
        raise LoadBalancerFailed(f"{host.name} is not up", retryable=False)

    async def check(self, hosts: Sequence[Host], where: LoadBalancing) -> None:
        for host in hosts:
            if host.name not in self.known:
                raise InvalidLoadBalancer(f"there is no server {host.name}")

    def _find(self, host: Host) -> None:
        if host.name not in self.known:
            raise LoadBalancerFailed(f"{host.name}: there is no such server", retryable=False)
