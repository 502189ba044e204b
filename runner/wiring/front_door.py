"""What `penstock serve` answers at its address: the wire API, the agents' command API, enrolment, bundles, health."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.api.agents import operations as agent_operations
from runner.api.agents.bundles import Bundles
from runner.api.agents.enrolment import Enrolment
from runner.api.awsjson import models
from runner.api.awsjson.service import Service as WireService
from runner.api.awsjson.tokens import Tokens
from runner.api.codedeploy import catalog, deployments
from runner.api.codedeploy.arns import Arns
from runner.api.endpoint import Endpoint
from runner.api.identity.limits import Limits
from runner.api.identity.verifier import Verifier
from runner.api.serving.listener import listener
from runner.api.site import Health, Mounts, Site
from runner.api.webhooks.endpoint import Webhooks
from runner.api.webhooks.follow import Follow
from runner.api.webhooks.hooks import Hooks
from runner.api.webhooks.intake import Intake
from runner.config import Config, Listening
from runner.platforms.agents.bundles import BundlesOfHosts
from runner.platforms.agents.desk import Desk
from runner.platforms.agents.identifiers import Place
from runner.platforms.agents.platform import AgentPlatform
from runner.platforms.agents.signing import SigningKey
from runner.platforms.agents.specifications import SignedSpecifications
from runner.ports import Clock
from runner.service import Service
from runner.store.store import Store
from runner.wiring.stopping import cancelled


class FrontDoor:
    """Where clients and agents are served. *agents*: the platform of hosts whose agent asks here. *deliveries*: what is done
    about webhooks.
    """

    def __init__(
        self, config: Config, listening: Listening, folder: Path, store: Store, service: Service, clock: Clock
    ) -> None:
        self._config, self._listening, self._store, self._service = config, listening, store, service
        self._clock = clock
        self._key = SigningKey.of(folder, clock())
        self._desk = Desk(
            store.host_commands,
            SignedSpecifications(store.job, self._key, config.executor),
            clock,
            timeouts=config.agents,
            place=Place(config.api.region, config.api.account_id),
            registered=self._known_as,
        )
        self._verifier = Verifier(store.keys, clock)
        self.agents = AgentPlatform(self._desk)
        self.deliveries = Follow(store.deliveries, clock)
        self._hooks = Hooks(config.repositories, tell=store.deliveries.configured)
        self._intake = Intake(store.deliveries, self.deliveries.came, clock)

    def _known_as(self, host: str) -> set[str]:
        """What the agent of *host* may call itself, too."""
        instances = {each.instance for each in self._config.hosts if each.name == host and each.instance}
        return instances | set(self._store.catalog.instances.arns_of(host))

    async def open(self, health: Health, ready: Callable[[str], None]) -> list[asyncio.Task[None]]:
        """Begin to listen; returns what runs from now on. *ready* is told the address.

        Raises what the listener raises when it cannot begin, with nothing left running.
        """
        listening = asyncio.Event()

        def started(address: str) -> None:
            ready(address)
            listening.set()

        site = Site(health, self._mounts())
        served = listener(self._listening, site, started, stopping=self._desk.close)
        beside = (self._desk.run(), self._verifier.run(), self._hooks.run(), self._intake.run())
        tasks = [asyncio.create_task(each) for each in (served, *beside)]
        waiting = asyncio.create_task(listening.wait())
        try:
            done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiting}:
                task.result()  # it says why it cannot begin
        except BaseException:
            await cancelled(*tasks)
            raise
        finally:
            await cancelled(waiting)
        return tasks

    def drain(self) -> None:
        """Hand out no more commands."""
        self._desk.drain()

    def _mounts(self) -> Mounts:
        enrolment = Enrolment(self._store.keys, self._key, self._config.api.region, self._clock)
        bundles = Bundles(BundlesOfHosts(self._store.host_commands, self._store.job), self._verifier)
        webhooks = Webhooks(self._hooks, self._intake, self._clock)
        return Mounts(api=self._endpoint(), enrol=enrolment, bundles=bundles, webhooks=webhooks)

    def _endpoint(self) -> Endpoint:
        agents = agent_operations.operations(self._desk)
        services = (
            WireService("CodeDeploy_20141006", "codedeploy", models.codedeploy, self._codedeploy()),
            WireService("CodeDeployCommandService_v20141006", "codedeploy-commands", models.commands, agents),
            WireService("CodeDeployCommandService", "codedeploy-commands-secure", models.commands_secure, agents),
        )
        return Endpoint(
            services,
            identity=self._verifier,
            limits=Limits(self._config.api.rate, self._config.api.burst),
            answers=self._store.answers,
            tokens=Tokens(self._store.keys.derived("next tokens")),
            clock=self._clock,
        )

    def _codedeploy(self) -> dict[str, Any]:
        arns = Arns(self._config.api.region, self._config.api.account_id)
        return {
            **catalog.operations(self._store.catalog, lambda: self._config.hosts, arns),
            **deployments.operations(self._service, self._store.wire, self._store.catalog, arns, self._store.hooks),
        }
