"""Port `Traffic` for HAProxy: every host in every backend of its group, on every address of the balancer."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from runner.config import LoadBalancerConfig
from runner.errors import InvalidLoadBalancer, LoadBalancerFailed
from runner.model.target import Host
from runner.model.traffic import Backend, LoadBalancing
from runner.ports import Report
from runner.traffic.member import Member
from runner.traffic.runtime_api import RuntimeApi
from runner.traffic.together import together


class Haproxy:
    """Implements port `Traffic`. Belongs to the event loop in which it is used first."""

    def __init__(self, balancers: Iterable[LoadBalancerConfig]) -> None:
        self._known = {each.name: (each, [RuntimeApi(address) for address in each.addresses]) for each in balancers}

    async def block(self, host: Host, where: LoadBalancing, report: Report) -> None:
        await self._everywhere(host, where, report, Member.block)

    async def allow(self, host: Host, where: LoadBalancing, report: Report) -> None:
        await self._everywhere(host, where, report, Member.allow)

    async def check(self, hosts: Sequence[Host], where: LoadBalancing) -> None:
        for backend in where.haproxy:
            config, apis = self._find(backend)
            for api in apis:
                await _check(api, config, backend.name, hosts)

    async def _everywhere(
        self, host: Host, where: LoadBalancing, report: Report, what: Callable[[Member], Awaitable[None]]
    ) -> None:
        await together([what(member) for member in self._members(host, where, report)])

    def _members(self, host: Host, where: LoadBalancing, report: Report) -> Iterator[Member]:
        for backend in where.haproxy:
            config, apis = self._find(backend)
            server = config.servers.get(host.name, host.name)
            for api in apis:
                yield Member(api, config, backend.name, server, host.name, report)

    def _find(self, backend: Backend) -> tuple[LoadBalancerConfig, list[RuntimeApi]]:
        if backend.load_balancer not in self._known:  # it was there when the deployment was planned
            raise InvalidLoadBalancer(
                f"the runner's configuration has no load balancer {backend.load_balancer} any more"
            )
        return self._known[backend.load_balancer]


async def _check(api: RuntimeApi, config: LoadBalancerConfig, backend: str, hosts: Sequence[Host]) -> None:
    name = f"haproxy {config.name}"
    try:
        servers = await api.servers(backend)
        if not await api.is_admin():
            raise InvalidLoadBalancer(f"{name}: {api.address} takes no orders; its `stats socket` needs `level admin`")
    except LoadBalancerFailed as error:
        raise LoadBalancerFailed(f"{name}, backend {backend}: {error.message}", retryable=error.retryable) from error
    wanted = [config.servers.get(host.name, host.name) for host in hosts]
    if missing := [server for server in wanted if server not in servers]:
        raise InvalidLoadBalancer(
            f"{name}: backend {backend} on {api.address} has no server {', '.join(missing)} (it has "
            f"{', '.join(servers) or 'none'}); give the servers the names of the hosts, or say which is which in `servers` "
            f"of [load_balancers.{config.name}]"
        )
