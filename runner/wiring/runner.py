"""Config in, running program out: the one room that knows every adapter by name.

Heavy libraries are imported by the properties that need them, so that a verb pays only for what it uses.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import config as configuration
from runner.config import Config, Listening, RepositoryConfig, Tls
from runner.errors import RunnerError
from runner.model.status import RepositoryState
from runner.model.target import Host, HostKey
from runner.plan.lifecycle import server_in_place
from runner.wiring.drive import Drive
from runner.wiring.places import config_file, now, state_place
from runner.wiring.previewing import LookThenPreview
from runner.wiring.stopping import cancelled, told_to_stop

if TYPE_CHECKING:
    from runner.aws import Aws
    from runner.flow import Flow
    from runner.forges import Forges
    from runner.model.command import Job
    from runner.model.explanation import Explanation
    from runner.model.manifest import GroupSettings
    from runner.model.revision import Bundle, Revision
    from runner.notify.outbox import Outbox
    from runner.previews import Previews
    from runner.service import Service
    from runner.sources.all import AllSources
    from runner.sources.git.http import SmartHttp
    from runner.sources.git.tokens import Login
    from runner.store.elsewhere.state import StateElsewhere
    from runner.store.lock import Held
    from runner.store.logs import LogFiles
    from runner.store.store import Store
    from runner.watch.poll import Poller
    from runner.wiring.front_door import FrontDoor

GRACE_FOR_MESSAGES = 5.0  # seconds in which a verb that is done still tries to deliver notifications


def open_runner(*, config: Path | None, state: str | Path | None, checkout: RepositoryConfig | None = None) -> "Runner":
    """A runner on one state. *checkout*: a repository to know beside the configured ones."""
    loaded = configuration.load(config_file(config))
    place = state_place(state, os.environ)
    if isinstance(place, Path):
        return Runner(loaded, place, checkout)
    from runner.store.elsewhere.address import objects_at
    from runner.store.elsewhere.state import StateElsewhere

    elsewhere = StateElsewhere(objects_at(place), os.environ)
    return Runner(loaded, elsewhere.folder, checkout, elsewhere)


class Runner:
    """All rooms, introduced to each other, each built when it is first entered."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        checkout: RepositoryConfig | None = None,
        elsewhere: "StateElsewhere | None" = None,
    ) -> None:
        """*elsewhere*: where the state is, when *folder* holds a copy for as long as this process runs."""
        self.config, self.folder, self._elsewhere = config, folder, elsewhere
        self.repositories = (*config.repositories, *([checkout] if checkout else []))
        self._held: Held | None = None

    @cached_property
    def store(self) -> "Store":
        from runner.store.store import Store

        key_file = self.config.api.key_file
        reportings = self.forges.reportings if any(each.report for each in self.config.repositories) else ()
        shipping = self._elsewhere.look() if self._elsewhere else None
        called = self._elsewhere.address if self._elsewhere else None
        at_hand = self._in_this_copy if self._elsewhere else lambda bundle, revision: bundle
        key = Path(key_file) if key_file else None
        return Store(self.folder, server_in_place(), key, reportings, shipping, called, at_hand)

    def _in_this_copy(self, bundle: "Bundle", revision: "Revision") -> "Bundle":
        """*bundle* in this process's own cache; as it was, which is told then, where that cannot be had."""
        with suppress(RunnerError):
            found = self.sources.fetch(revision)
            if found.sha256 == bundle.sha256:
                return found
        return bundle

    @cached_property
    def logs(self) -> "LogFiles":
        from runner.store.logs import LogFiles

        return LogFiles(self.folder / "logs")

    @cached_property
    def sources(self) -> "AllSources":
        from runner.sources.all import AllSources

        self.store  # noqa: B018 - makes the state folder, private
        bring_back = self._elsewhere.bring_bundle if self._elsewhere else lambda archive: False
        return AllSources(
            self.repositories, self.folder, lambda: self.aws, self.config.registries, self._login, bring_back
        )

    @cached_property
    def aws(self) -> "Aws":
        from runner.aws import Aws

        return Aws(self.config.aws)

    @cached_property
    def forges(self) -> "Forges":
        from runner.forges import Forges

        return Forges(self.config, now, lambda news: self.store.rollouts.of(news))

    @cached_property
    def service(self) -> "Service":
        from runner.service import Service

        return Service(
            self.store, self.hosts, now, self.config.load_balancers, self.instances_of, self.config.instances
        )

    def _allowed(self) -> dict[str, str]:
        """What templates may see of the environment."""
        return {name: os.environ[name] for name in self.config.template_environment if name in os.environ}

    @cached_property
    def previews(self) -> "Previews | None":
        """None where no repository asks for them. To be made in the event loop."""
        if not any(each.report and each.report.pull_requests for each in self.config.repositories):
            return None
        from runner.previews import Maker, Previews
        from runner.service import Service

        unasked = Service(self.store, self.hosts, now, self.config.load_balancers, of_instances=self.config.instances)
        maker = Maker(unasked.forecast, self.store.state, self._allowed())
        return Previews(self.config.repositories, self.sources.repository, self.forges, self.store.previews, maker, now)

    @cached_property
    def flow(self) -> "Flow":
        from runner.flow import Flow

        allowed = self._allowed()
        balancers = frozenset(each.name for each in self.config.load_balancers)
        return Flow(self.store, self.sources, self.hosts, allowed, now, balancers)

    def _login(self, repository: RepositoryConfig) -> "Login | None":
        """How git logs in where a GitHub App does."""
        return self.forges.password(repository) if repository.github_app else None

    def hosts(self) -> tuple[Host, ...]:
        """Those of the configuration, and those that were registered through the wire API."""
        configured = {host.name for host in self.config.hosts}
        registered = (instance.host for instance in self.store.catalog.instances.registered())
        return (*self.config.hosts, *(host for host in registered if host.name not in configured))

    def instances_of(self, settings: "GroupSettings") -> tuple[Host, ...]:
        """Those that a deployment group has in EC2, as they are now."""
        if not settings.ec2:
            return ()
        from runner.inventory.ec2 import Ec2Instances

        return Ec2Instances(self.aws, self.config.instances).of(settings)

    def signing_fingerprint(self) -> str:
        """Of the key that specifications for agents are signed with: what tokens carry. Made if there is none."""
        from runner.platforms.agents.signing import SigningKey

        self.store  # noqa: B018 - makes the state folder, private
        return SigningKey.of(self.folder, now()).fingerprint()

    async def trust(self, host: Host, accept: Callable[[HostKey], bool]) -> list[HostKey]:
        """Make the SSH keys of *host* and its hops known, each that *accept* says yes to."""
        from runner.platforms.server.ssh.trust import trust

        return await trust(host, accept)

    def close(self) -> None:
        if "store" in self.__dict__:
            self.store.close()
        if self._elsewhere:
            self._elsewhere.close()

    @property
    def place(self) -> str:
        """The state, as messages name it: `the state folder /var/lib/penstock`."""
        return f"the state {self._elsewhere.address}" if self._elsewhere else f"the state folder {self.folder}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether the state is in no folder, and is one process's at a time."""
        return self._elsewhere is not None

    @property
    def is_driven(self) -> bool:
        """Whether a process has the state."""
        from runner.store.lock import holder

        return (self._elsewhere.holder() if self._elsewhere else holder(self.folder)) is not None

    def hold(self) -> None:
        """Take a state that is in no folder, and have it until `close`. To be called before the state is read.

        Raises `StateFolderBusy`, which names who has it. A folder may be shared: nothing is done.
        """
        if self._elsewhere:
            self._elsewhere.hold()

    @contextmanager
    def driving(self) -> "Iterator[Held]":
        """Hold the state folder: only one process drives it. Raises `StateFolderBusy`, which names the other.

        Inside another one of the same runner it is part of that one.
        """
        from runner.store.lock import driver_lock

        if self._held:
            yield self._held
            return
        self.hold()
        self.store  # noqa: B018 - makes the folder, and says early when it cannot be written
        with driver_lock(self.folder) as self._held:
            try:
                yield self._held
            finally:
                self._held = None

    async def drive(self, until: Callable[[], bool], *, signals: bool = True) -> bool:
        """Drive deployments in this process until *until* says that it is enough. False: told to stop before that.

        Must be called inside `driving`. *signals*: SIGTERM and SIGINT tell it to stop; else they are the caller's.
        """
        drive = Drive(self)
        driver, outbox = drive.driver, drive.outbox
        with told_to_stop(driver.drain) if signals else nullcontext():
            driving = asyncio.create_task(driver.run())
            beside = [asyncio.create_task(each) for each in (outbox.run(), drive.watch.run(), drive.suspending.run())]
            enough = False
            try:
                while not driving.done() and not enough:
                    await asyncio.wait({driving}, timeout=0.05)
                    enough = await asyncio.to_thread(until)
                driver.drain()
                await driving
            finally:
                await cancelled(*beside)
            await drive.suspending.finish()
            if enough:
                await self._deliver_the_rest(outbox)
        return enough

    async def _deliver_the_rest(self, outbox: "Outbox") -> None:
        """Give notifications a moment, retries included; what is not delivered by then waits for the next process."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_FOR_MESSAGES):
                while (due := await asyncio.to_thread(self.store.outbox.next_message_at)) is not None:
                    wait = (due - now()).total_seconds()
                    if wait > GRACE_FOR_MESSAGES:
                        return
                    await asyncio.sleep(max(0.0, wait))
                    await outbox.flush()

    async def serve(
        self,
        listen: str | None,
        ready: Callable[[str | None], None] = lambda address: None,
        *,
        tls: Tls | None = None,
        without_tls: bool = False,
    ) -> None:
        """Watch, act, drive, notify and listen until SIGTERM or SIGINT. Must be called inside `driving`.

        *listen*, *tls*, *without_tls* come before what the configuration says. *ready* is told the listener's address
        (None without one) once it accepts connections.
        """
        await asyncio.to_thread(self.logs.sweep, self.store.known)
        door = None
        address = listen or self.config.listen
        if address:
            from runner.wiring.front_door import FrontDoor

            listening = Listening(
                address=address,
                tls=tls or self.config.tls,
                without_tls=without_tls or self.config.listen_without_tls,
                max_connections=self.config.max_connections,
            )
            door = FrontDoor(self.config, listening, self.folder, self.store, self.service, now)
        drive = Drive(self, door.agents if door else None)
        driver = drive.driver

        def drain() -> None:
            driver.drain()
            if door:
                door.drain()

        background: list[asyncio.Task[None]] = []
        try:
            if door:  # first, as it may be refused: then nothing has been seen and nothing begun
                background += await door.open(self._health, ready)
            else:
                ready(None)
            beside = (drive.outbox.run(), drive.watch.run(), drive.suspending.run(), drive.auto_scaling.run())
            work = (*beside, self.flow.run(driver.wake), *self._watchers(door))
            background += [asyncio.create_task(each) for each in work]
            with told_to_stop(drain):
                driving = asyncio.create_task(driver.run())
                done, _ = await asyncio.wait({driving, *background}, return_when=asyncio.FIRST_COMPLETED)
                drain()
                await driving
                for task in done - {driving}:
                    task.result()  # something ended by itself that never should: say why
        finally:
            await cancelled(*background)

    async def poll(self) -> tuple[RepositoryState, ...]:
        """Ask every configured repository once, side by side, and act on what changed."""
        from runner.sources.git.http import SmartHttp
        from runner.watch.poll import Poller

        watched = [(each, self.sources.repository(each.name)) for each in self.config.repositories]
        with closing(SmartHttp(now, self._login)) as servers:
            poller = Poller(watched, clock=now, tell=self.store.repository_went, quick=servers.of)
            states = await poller.poll_once(lambda name, heads: self.flow.observe(name, heads, "poll"))
        await self.flow.act_on_pending()
        if self.previews:
            await self.previews.once()
        return states

    async def check(self, host: Host, job: "Job") -> "Explanation":
        """What deploying *job* would do on *host*. Raises `WorldError`."""
        from runner.platforms.server.platform import ServerPlatform

        platform = ServerPlatform(settings=self.config.executor)
        try:
            return await platform.check(job, host)
        finally:
            await platform.close()

    def _watchers(self, door: "FrontDoor | None") -> "Iterator[Coroutine[Any, Any, None]]":
        from runner.sources.git.http import SmartHttp
        from runner.watch.files import FileWatcher
        from runner.watch.poll import Poller

        watched = [(each, self.sources.repository(each.name)) for each in self.config.repositories]
        heard = door.deliveries.heard if door else lambda name: None
        polled = [each for each in watched if each[0].watch == "poll"]
        servers = SmartHttp(now, self._login)
        poller = Poller(polled, clock=now, tell=self.store.repository_went, quick=servers.of, heard=heard)
        if door:
            yield door.deliveries.run(LookThenPreview(poller, self.previews) if self.previews else poller)
        if self.previews:
            yield self.previews.run()
        if polled:
            yield self._polling(poller, servers)
        if local := [each for each in watched if each[0].watch == "files"]:
            watcher = FileWatcher(local, clock=now, tell=self.store.repository_went)
            yield watcher.run(lambda name, heads: self.flow.observe(name, heads, "files"))

    async def _polling(self, poller: "Poller", servers: "SmartHttp") -> None:
        with closing(servers):
            await poller.run(
                lambda name, heads: self.flow.observe(name, heads, "poll"),
                called=lambda name, heads: self.flow.observe(name, heads, "webhook"),
            )

    def _health(self) -> dict[str, Any]:
        state = self.store.state()
        failing = [each.name for each in state.repositories if each.failures]
        return {
            "status": "ok",
            "active_deployments": [group.active.id for group in state.groups if group.active],
            "repositories_failing": failing,
            "undelivered_notifications": state.undelivered,
            "open_deliveries": sum(each.open for each in state.deliveries),
            "webhook_problems": sum(bool(each.problem) for each in state.webhooks),
            "last_delivery_at": max((each.received_at.isoformat() for each in state.deliveries), default=None),
        }
