"""Blue/green deployments on servers, through the store and the driver: hosts without machines, a clock of the test's own."""

import asyncio
import datetime as dt
import threading
from pathlib import Path
from typing import Any

from driven import Driven
from fakes.fleets import FakeFleets
from fakes.platform import FakePlatform, succeed
from fakes.traffic_platform import FakeTrafficPlatform
from store_cases import ALL_AT_ONCE, group, manifest, revision

from runner.execute.driver import Driver
from runner.execute.prepare_fleets import prepare_fleets
from runner.model.command import Command, Outcome
from runner.model.deployment import Deployment, DeploymentStatus, Options
from runner.model.fleets import Fleet, Green
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.revision import Bundle, Revision
from runner.model.rollout import Rollout
from runner.model.target import Diagnostics, Host, TargetStatus
from runner.model.traffic import Backend, LoadBalancing
from runner.model.work import PreparationFailed, Prepare, PreparedFleets, Wish
from runner.plan.lifecycle import server_blue_green
from runner.plan.targets import choose
from runner.ports import Report
from runner.service import Service

MINUTE = dt.timedelta(minutes=1)
INSTALL, ALLOW, BLOCK = server_blue_green().install, server_blue_green().allow, server_blue_green().block
EVERYTHING = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
KEPT = BlueGreen(termination_wait=None)
BALANCER = LoadBalancing(haproxy=(Backend(load_balancer="edge", name="shop"),))
GREEN = Green(fleet=Fleet(tags={"colour": ("green",)}))
BLUE = Green(fleet=Fleet(tags={"colour": ("blue",)}))
HOSTS = tuple(
    Host(name=f"{c}{n}", folder="/h", tags={"colour": c}, instance=f"i-{c}{n}")
    for c in ("blue", "green")
    for n in (1, 2, 3)
)


def instances(name: str) -> tuple[Host, ...]:
    return tuple(Host(name=f"{name}{number}", folder="/h", instance=f"{name}{number}") for number in (1, 2, 3))


class OneBundle:
    """Every revision is the same bundle."""

    def pin(self, revision: Revision) -> Revision:
        return revision

    def fetch(self, revision: Revision) -> Bundle:
        return Bundle(path="/b", bundle_type="tar", sha256="00", size=1)

    def read(self, bundle: Bundle, name: str) -> bytes | None:
        return b"version: 0.0\nos: linux\n"


class World(Driven):
    """Three blue hosts and three green ones. *failing*: (host, event)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.platform = FakePlatform(self._run)
        self.fleets = FakeFleets()
        self.failing: set[tuple[str, str]] = set()
        self.gates: dict[str, asyncio.Event] = {}  # by event
        self.hosts = HOSTS
        self.groups: dict[str, tuple[Host, ...]] = {"web": instances("old")}  # Auto Scaling
        self.may_prepare = threading.Event()
        self.may_prepare.set()
        self._number = 0

    def deploy(self, rollout: Rollout = ALL_AT_ONCE, **settings: Any) -> str:
        self._number += 1
        given = {"tags": {"colour": ("blue",)}, "load_balancer": BALANCER, "green": GREEN, "blue_green": KEPT}
        one = manifest(group("live", rollout=rollout, **given | settings))
        wish = Wish(manifest=one, revision=revision(f"{self._number:x}"))
        return self.store.create_releases("shop", [wish], "user", Options(), self.time)[0]

    async def _run(self, command: Command, report: Report) -> Outcome:
        if command.lifecycle_event in self.gates:
            await self.gates[command.lifecycle_event].wait()
        if (command.host.name, command.lifecycle_event) in self.failing:
            diagnostics = Diagnostics(error_code="ScriptFailed", script_name="x.sh", message="no")
            return Outcome(succeeded=False, diagnostics=diagnostics)
        return await succeed(command, report)

    def _prepare(self, action: Prepare) -> PreparedFleets | PreparationFailed:
        assert self.may_prepare.wait(60)
        sources: Any = OneBundle()
        if action.deployment.settings.green is None:  # the redeployment of what cannot be rerouted
            return self._prepare_in_place(action)  # type: ignore[return-value]
        return prepare_fleets(
            action,
            sources,
            lambda settings: choose(self.hosts, settings, self.of(settings)),
            lambda hosts, settings: None,
        )

    def of(self, settings: GroupSettings) -> list[Host]:
        """Its instances in the cloud."""
        return [host for name in settings.ec2.auto_scaling_groups for host in self.groups[name]]

    def _prepare_in_place(self, action: Prepare) -> Any:
        from runner.execute.prepare import prepare

        return prepare(action.deployment, OneBundle(), lambda: self.hosts, lambda hosts, settings: None)  # type: ignore[arg-type]

    def new_driver(self) -> Driver:
        return Driver(
            self.store,
            self.platform,
            FakeTrafficPlatform(),
            self._prepare,
            self.logs,
            lambda: self.time,
            fleets=self.fleets,
        )

    def roll_back(self, deployment_id: str) -> str:
        """By hand; the new deployment."""
        made = Service(self.store, lambda: (), lambda: self.time, ()).roll_back(deployment_id)
        assert made is not None
        return made

    async def is_ready(self, deployment_id: str) -> Deployment:
        return await self.comes_to(deployment_id, lambda each: each.status is DeploymentStatus.READY)

    def ran(self, deployment_id: str) -> dict[str, list[str]]:
        """The events of each host, in order."""
        found: dict[str, list[str]] = {}
        for of, host, event, _ in self.platform.ran:
            if of == deployment_id:
                found.setdefault(host, []).append(event)
        return found

    def statuses(self, deployment_id: str) -> dict[str, TargetStatus]:
        return {target.id: target.status for target in self.store.targets(deployment_id)}


def of(colour: str, events: tuple[str, ...]) -> dict[str, list[str]]:
    return {f"{colour}{number}": list(events) for number in (1, 2, 3)}


def all_are(status: TargetStatus, *colours: str) -> dict[str, TargetStatus]:
    return {f"{colour}{number}": status for colour in colours for number in (1, 2, 3)}
