"""One EC2 instance with one load balancer in AWS: taken out and drained, put back and healthy."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from runner.aws import AwsError
from runner.config import InstancesConfig
from runner.errors import LoadBalancerFailed
from runner.model.duration import format_duration
from runner.ports import Report

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between two looks
TELL_EVERY = 30.0  # seconds: how often a wait says that it still waits, when nothing changes
HOPELESS_FOR = 30.0  # seconds; what was just registered may look strange for a moment


class Standing(NamedTuple):
    """How the balancer sees the instance. *words*: its own, with the reason. *is_hopeless*: waiting would not help."""

    is_registered: bool
    is_draining: bool = False
    is_healthy: bool = False
    is_hopeless: bool = False
    words: str = "not registered"


GONE = Standing(is_registered=False)


class Registrar(Protocol):
    """One balancer, for one instance. Registering and taking out twice is as good as once. Raises `AwsError`."""

    @property
    def name(self) -> str: ...
    async def look(self) -> Standing: ...
    async def register(self) -> None: ...
    async def take_out(self) -> None: ...


class Registration:
    """Raises `LoadBalancerFailed`, and nothing else. *host*: the instance, for people."""

    def __init__(self, registrar: Registrar, host: str, config: InstancesConfig, report: Report) -> None:
        self._registrar, self._config, self._report = registrar, config, report
        self._name = f"{registrar.name}: {host}"
        self._now = asyncio.get_running_loop().time

    async def block(self) -> None:
        """Take it out, and wait until its connections have ended, as long as the balancer lets them."""

        async def step(standing: Standing) -> bool:
            if standing.is_registered:
                await self._registrar.take_out()
            return not standing.is_registered and not standing.is_draining

        await self._until(step, self._config.drain_timeout.total_seconds(), self._not_drained)
        self._tell("out of traffic")

    async def allow(self) -> None:
        """Put it in, and wait until it is healthy."""

        async def step(standing: Standing) -> bool:
            if not standing.is_registered:  # also while it still drains: that ends it
                await self._registrar.register()
            return standing.is_registered and standing.is_healthy

        await self._until(step, self._config.up_timeout.total_seconds(), self._not_healthy, gives_up=True)
        self._tell("in traffic, healthy")

    async def _until(
        self,
        step: Callable[[Standing], Awaitable[bool]],
        limit: float,
        why: Callable[[str], str],
        *,
        gives_up: bool = False,
    ) -> None:
        """Look, and do *step* with what is seen, until it says that all is well: what was done is seen before it counts.

        AWS that does not answer is waited for like everything else. *gives_up*: not where waiting would not help.
        """
        until, pause = self._now() + limit, FIRST_PAUSE
        said, tell_at, hopeless_since = "", 0.0, None
        while True:
            try:
                standing = await self._registrar.look()
                if await step(standing):
                    return
            except AwsError as error:
                if not error.retryable:
                    raise LoadBalancerFailed(f"{self._name}: {error.message}", retryable=False) from error
                standing = Standing(is_registered=False, words=error.message)
            now = self._now()
            hopeless_since = (hopeless_since or now) if gives_up and standing.is_hopeless else None
            if now >= until or (hopeless_since is not None and now - hopeless_since >= HOPELESS_FOR):
                raise LoadBalancerFailed(f"{self._name}: {why(standing.words)}", retryable=False)
            if standing.words != said or now >= tell_at:
                said, tell_at = standing.words, now + TELL_EVERY
                self._tell(standing.words)
            await asyncio.sleep(max(0.0, min(pause, until - now)))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _tell(self, what: str) -> None:
        self._report(f"{self._name}: {what}\n")

    def _not_drained(self, words: str) -> str:
        limit = format_duration(self._config.drain_timeout)
        return f"still {words} after {limit}; raise drain_timeout of [instances], or lower its deregistration delay"

    def _not_healthy(self, words: str) -> str:
        limit = format_duration(self._config.up_timeout)
        return f"is {words}, and was not healthy within {limit} (up_timeout of [instances]); see its health check there"
