"""The driver, and those who work beside it in the same process: built together, as they wake each other."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from runner.config import Config
from runner.model.manifest import GroupSettings
from runner.model.target import Host
from runner.model.work import PreparationFailed, Prepare, Prepared, PreparedFleets, PreparedTraffic
from runner.wiring.places import now

if TYPE_CHECKING:
    from runner.aws import Aws
    from runner.checks.before import Before
    from runner.checks.cloudwatch import AlarmStates
    from runner.checks.watch import Watch
    from runner.execute.driver import Driver
    from runner.forges import Forges
    from runner.inventory.suspending import Suspending
    from runner.notify.outbox import Outbox
    from runner.ports import Platform, TrafficPlatform
    from runner.sources.all import AllSources
    from runner.store.logs import LogFiles
    from runner.store.store import Store
    from runner.traffic.balancers import Balancers
    from runner.watch.auto_scaling import AutoScalingWatch


class Parts(Protocol):
    """What it is built of: a `Runner` has all of it."""

    config: Config

    @property
    def store(self) -> "Store": ...
    @property
    def logs(self) -> "LogFiles": ...
    @property
    def sources(self) -> "AllSources": ...
    @property
    def aws(self) -> "Aws": ...
    @property
    def forges(self) -> "Forges": ...
    def hosts(self) -> tuple[Host, ...]: ...
    def instances_of(self, settings: GroupSettings) -> tuple[Host, ...]: ...


class Drive:
    """Everything that carries deployments out. *agents*: the platform of hosts whose agent asks; None: nobody listens."""

    def __init__(self, runner: Parts, agents: "Platform | None" = None) -> None:
        self._runner, self._agents = runner, agents

    @cached_property
    def driver(self) -> "Driver":
        from runner.execute.driver import Driver
        from runner.platforms.by_transport import ByTransport
        from runner.platforms.fleets import CloudFleets
        from runner.platforms.server.platform import ServerPlatform
        from runner.traffic.platform import WithTraffic

        config = self._runner.config
        hosts = ByTransport(ServerPlatform(settings=config.executor), self._agents)
        platform = WithTraffic(hosts, self._balancers())
        runner = self._runner
        fleets = CloudFleets(runner.aws, runner.instances_of, now)
        return Driver(runner.store, platform, self._traffic, self._prepare, runner.logs, now, self._recorded, fleets)

    @cached_property
    def outbox(self) -> "Outbox":
        from runner.notify.outbox import Outbox
        from runner.notify.router import Router
        from runner.notify.sns import Sns
        from runner.notify.webhook import Webhook

        webhooks = {f"webhook:{each.name}": Webhook(each, clock=now) for each in self._runner.config.notifiers}
        reports = {each.to: self._runner.forges for each in self._runner.forges.reportings}
        return Outbox(self._runner.store.outbox, Router({"sns": Sns(), **webhooks, **reports}), clock=now)

    @cached_property
    def watch(self) -> "Watch":
        """Of alarms and checks."""
        from runner.checks.watch import Watch

        interval = self._runner.config.aws.alarm_interval.total_seconds()
        store = self._runner.store.watch
        return Watch(store, self._alarms, clock=now, interval=interval, failed=lambda: self.driver.wake())

    @cached_property
    def auto_scaling(self) -> "AutoScalingWatch":
        """Of instances that Auto Scaling launches and ends."""
        from runner.watch.auto_scaling import AutoScalingWatch

        runner = self._runner
        store = runner.store.lifecycle_actions
        return AutoScalingWatch(runner.aws, store, clock=now, begun=lambda: self.driver.wake())

    @cached_property
    def suspending(self) -> "Suspending":
        """Of processes of Auto Scaling groups."""
        from runner.inventory.suspending import Suspending

        return Suspending(self._runner.store.suspensions, self._runner.aws, now)

    @cached_property
    def _alarms(self) -> "AlarmStates":
        from runner.checks.cloudwatch import AlarmStates

        return AlarmStates(self._runner.aws)

    @cached_property
    def _before(self) -> "Before":
        from runner.checks.before import Before

        interval = self._runner.config.aws.alarm_interval.total_seconds()
        return Before(self._runner.store.watch, self._alarms, now, interval)

    @cached_property
    def _traffic(self) -> "TrafficPlatform":
        from runner.checks.platform import WithChecks
        from runner.platforms.by_spec import BySpec
        from runner.platforms.functions import FunctionPlatform
        from runner.platforms.hooks import WithHooks
        from runner.platforms.services import ServicePlatform

        runner = self._runner
        platform = BySpec(FunctionPlatform(runner.aws), ServicePlatform(runner.aws))
        # Only who listens can be called back by the functions of hooks.
        hooked = WithHooks(platform, runner.store.hooks, runner.aws, now, serves=self._agents is not None)
        return WithChecks(hooked, self._alarms)

    def _recorded(self) -> None:
        self.outbox.wake()
        self.watch.wake()

    def _prepare(self, action: Prepare) -> Prepared | PreparedTraffic | PreparedFleets | PreparationFailed:
        from runner.execute.prepare import prepare
        from runner.execute.prepare_fleets import prepare_fleets
        from runner.execute.prepare_traffic import prepare_traffic

        runner, deployment = self._runner, action.deployment
        if (alarm := self._before.check(deployment)) is not None:
            return PreparationFailed(deployment_id=deployment.id, error=alarm)
        if deployment.settings.platform != "Server":
            return prepare_traffic(action, runner.sources, self._traffic)
        done: Prepared | PreparedFleets | PreparationFailed
        if deployment.settings.green is not None:
            done = prepare_fleets(action, runner.sources, self._find, self._check_reach)
        else:
            done = prepare(deployment, runner.sources, runner.hosts, self._check_reach, runner.instances_of)
            if isinstance(done, Prepared):
                self.suspending.suspend(deployment)
        runner.sources.prune(runner.config.keep_bundles, runner.store.bundles_in_use())
        return done

    def _find(self, settings: GroupSettings) -> Sequence[Host]:
        from runner.plan.targets import choose

        return choose(self._runner.hosts(), settings, self._runner.instances_of(settings))

    def _check_reach(self, hosts: Sequence[Host], settings: GroupSettings) -> None:
        from runner.platforms.by_transport import check_reach
        from runner.traffic.balancers import check

        check_reach(hosts, serves_agents=self._agents is not None)
        if settings.load_balancer is not None:
            check(self._balancers(), hosts, settings.load_balancer)

    def _balancers(self) -> "Balancers":
        """Of whichever event loop uses them first."""
        from runner.traffic.balancers import Balancers

        config = self._runner.config
        return Balancers(config.load_balancers, self._runner.aws, config.instances)
