"""One host as a server of one backend of one HAProxy: out of its traffic, and back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from runner.config import LoadBalancerConfig
from runner.errors import LoadBalancerFailed
from runner.model.duration import format_duration
from runner.ports import Report
from runner.traffic.runtime_api import RuntimeApi, Server

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks
TELL_EVERY = 5.0  # seconds: how often a wait says that it still waits
OUT_OF_REACH = 60.0  # seconds; a restart of HAProxy takes less


class Member:
    """*host* is known to the backend as *server*. Raises `LoadBalancerFailed`, and nothing else.

    An order is given again at every look, so that an HAProxy that was reloaded, and has forgotten, is told anew.
    """

    def __init__(
        self, api: RuntimeApi, config: LoadBalancerConfig, backend: str, server: str, host: str, report: Report
    ) -> None:
        self._api, self._config, self._backend, self._server = api, config, backend, server
        self._report, self._now = report, asyncio.get_running_loop().time
        which = "" if len(config.addresses) == 1 else f" ({api.address})"
        known_as = "" if server == host else f" (server {server})"
        self._name = f"haproxy {config.name}{which}: {host}{known_as} in backend {backend}"

    async def block(self) -> None:
        """No new sessions; wait for those that are left, but no longer than the drain timeout.

        First `drain`: sessions end in peace, though clients with a persistence cookie still come. Then `maint`: those
        go elsewhere too, and HAProxy does not raise an alarm about a server that is being deployed to.
        """
        until = self._now() + self._config.drain_timeout.total_seconds()
        blocked = (await self._look()).is_in_maintenance
        for state in ("maint",) if blocked else ("drain", "maint"):
            server = await self._until(state, lambda server: server.is_idle, until)
            if not server.is_idle and self._config.on_drain_timeout == "fail":
                raise LoadBalancerFailed(self._not_drained(server), retryable=False)
        limit = format_duration(self._config.drain_timeout)
        left = "" if server.is_idle else f"; {_sessions(server)} left after {limit}, which the stop may cut off"
        self._tell(f"out of traffic{left}")

    async def allow(self) -> None:
        """Put it back once its health checks pass, and wait until it is up, but no longer than the up timeout."""
        until = self._now() + self._config.up_timeout.total_seconds()
        server = await self._look()
        if not server.is_up:
            # Straight from `maint` to `ready`, HAProxy would send requests before its first check.
            server = await self._until("drain", lambda server: server.is_fit, until)
        if server.is_fit or server.is_up:
            server = await self._until("ready", lambda server: server.is_up, until)
        if not server.is_up:
            raise LoadBalancerFailed(self._not_up(server), retryable=False)
        self._tell(f"in traffic, {server.status}")

    async def _until(self, state: str, is_done: Callable[[Server], bool], until: float) -> Server:
        """Hold the server in *state* until *is_done*, but not longer than *until*; returns how it is then."""
        pause, tell_at = FIRST_PAUSE, self._now()
        while True:
            server = await self._reached(lambda: self._api.set_state(self._backend, self._server, state))
            if is_done(server) or self._now() >= until:
                return server
            if self._now() >= tell_at:
                self._tell(f"{state}: {server.status}, {_sessions(server)}{_last_check(server)}")
                tell_at += TELL_EVERY
            await asyncio.sleep(max(0.0, min(pause, until - self._now())))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _look(self) -> Server:
        servers = await self._reached(lambda: self._api.servers(self._backend))
        if self._server not in servers:
            raise LoadBalancerFailed(f"{self._name}: there is no such server", retryable=False)
        return servers[self._server]

    async def _reached(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, again while HAProxy is out of reach, but for no longer than a minute."""
        since, pause = self._now(), FIRST_PAUSE
        while True:
            try:
                return await ask()
            except LoadBalancerFailed as error:
                if not error.retryable or self._now() - since > OUT_OF_REACH:
                    raise LoadBalancerFailed(f"{self._name}: {error.message}", retryable=error.retryable) from error
                if pause == FIRST_PAUSE:
                    self._tell(f"{error.message}; trying again")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _tell(self, what: str) -> None:
        self._report(f"{self._name}: {what}\n")

    def _not_drained(self, server: Server) -> str:
        return (
            f"{self._name}: still has {_sessions(server)} after {format_duration(self._config.drain_timeout)}; raise "
            f'drain_timeout of load_balancers.{self._config.name}, or let on_drain_timeout be "continue"'
        )

    def _not_up(self, server: Server) -> str:
        weight = ", its weight is 0" if server.weight == "0" else ""
        return (
            f"{self._name}: is {server.status} and not up {format_duration(self._config.up_timeout)} after it was allowed"
            f"{weight}{_last_check(server)}"
        )


def _sessions(server: Server) -> str:
    return f"{server.sessions} session{'' if server.sessions == 1 else 's'}"


def _last_check(server: Server) -> str:
    return f"; last check: {server.check}" if server.check else ""
