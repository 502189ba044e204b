"""A whole control side for agents on loopback: store, driver, desk, endpoint, bundles, enrolment, with real signatures.

    async with agent_rig(tmp_path, ["web-1"]) as rig:
        agent = rig.agent("web-1").start()                 # the official agent, simulated
        deployment = await rig.ended(rig.begin({"a.txt": "a"}, appspec()))

Run as a program (`python agent_rig.py FOLDER ADDRESS HOST...`) it is the same in a process that can be killed; what it
deploys is in FOLDER, so that another process may begin deployments there.
"""

import asyncio
import contextlib
import datetime as dt
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from fakes.traffic_platform import FakeTrafficPlatform
from host_cases import tgz
from official_agent import OfficialAgent
from store_cases import ALL_AT_ONCE, group, manifest, revision
from waiting import until

from runner import log
from runner.api.agents.bundles import Bundles
from runner.api.agents.enrolment import Enrolment
from runner.api.agents.operations import operations
from runner.api.awsjson import models
from runner.api.awsjson.service import Service
from runner.api.awsjson.tokens import Tokens
from runner.api.endpoint import Endpoint
from runner.api.identity.limits import Limits
from runner.api.identity.verifier import Verifier
from runner.api.serving.listener import listener
from runner.api.site import Mounts, Site
from runner.config import Listening
from runner.execute.driver import Driver
from runner.model.appspec import AppSpec
from runner.model.deployment import Deployment, Options
from runner.model.host_command import AgentTimeouts
from runner.model.revision import Bundle, GitRevision, Revision
from runner.model.target import Host, LifecycleEvent, Target
from runner.model.value import from_json
from runner.model.work import Prepared, Wish
from runner.plan.lifecycle import server_in_place
from runner.platforms.agents.bundles import BundlesOfHosts
from runner.platforms.agents.desk import Desk
from runner.platforms.agents.platform import AgentPlatform
from runner.platforms.agents.signing import SigningKey
from runner.platforms.agents.specifications import SignedSpecifications
from runner.platforms.by_transport import ByTransport
from runner.platforms.server.platform import ServerPlatform
from runner.store.logs import LogFiles
from runner.store.store import Store

ARN = "arn:aws:iam::000000000000:user/"
_PREFIXES = {"CodeDeployCommandService_v20141006": models.commands, "CodeDeployCommandService": models.commands_secure}


class Stock(msgspec.Struct):
    """What is deployed under one digit: kept in a file, for any process of the rig."""

    bundle: Bundle
    appspec: AppSpec
    revision: Revision


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Deployments:
    """Begins deployments in a store, and looks at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.store = Store(folder / "state", server_in_place())
        self.logs = LogFiles(folder / "state" / "logs")
        self.wake = lambda: None

    def begin(
        self, files: Mapping[str, str | bytes], spec: AppSpec, exact: Revision | None = None, **of_group: Any
    ) -> str:
        """Record a deployment, which the driver then begins. *exact*: the revision that agents are told. Returns its ID."""
        number = len(list(self.folder.glob("*.stock")))
        bundle, named = tgz(self.folder / f"{number:x}.tgz", files), revision(f"{number:x}")
        stock = Stock(bundle, spec, exact or named)
        (self.folder / f"{number:x}.stock").write_bytes(msgspec.json.encode(stock))
        settings = group(of_group.pop("name", "production"), **{"rollout": ALL_AT_ONCE, **of_group})
        wish = Wish(manifest=manifest(settings), revision=exact or named)
        (made,) = self.store.create_releases("shop", [wish], "user", Options(), now())
        self.wake()
        return made

    async def ended(self, deployment_id: str, within: float = 60) -> Deployment:
        await until(lambda: self.store.deployment(deployment_id).status.is_terminal, within=within)
        return self.store.deployment(deployment_id)

    def target(self, deployment_id: str, host: str = "web-1") -> Target:
        return next(each for each in self.store.targets(deployment_id) if each.id == host)

    def statuses(self, deployment_id: str, host: str = "web-1") -> dict[str, str]:
        return {each.name: str(each.status) for each in self.target(deployment_id, host).lifecycle_events}

    def failure(self, deployment_id: str, host: str = "web-1") -> LifecycleEvent:
        events = self.target(deployment_id, host).lifecycle_events
        return next(each for each in events if each.diagnostics and each.diagnostics.error_code != "Success")

    def key(self, host: str) -> tuple[str, str]:
        issued = self.store.keys.create("host", host, "", now())
        return issued.principal.access_key_id, issued.secret.reveal()


class AgentRig(Deployments):
    def __init__(self, folder: Path, hosts: Sequence[Host], timeouts: AgentTimeouts, **of_desk: Any) -> None:
        super().__init__(folder)
        self.hosts = tuple(hosts)
        self.signing_key = SigningKey.of(folder / "state", now())
        specifications = SignedSpecifications(self.store.job, self.signing_key)
        defaults = {"registered": lambda host: {f"{ARN}of-{host}"}, "tick": 0.01}
        self.desk = Desk(self.store.host_commands, specifications, now, timeouts=timeouts, **{**defaults, **of_desk})
        platform = ByTransport(ServerPlatform(), AgentPlatform(self.desk))
        self.driver = Driver(
            self.store,
            platform,
            FakeTrafficPlatform(),
            lambda action: self._prepared(action.deployment),
            self.logs,
            now,
        )
        self.wake = self.driver.wake
        verifier = Verifier(self.store.keys, now)
        self.endpoint = Endpoint(
            [
                Service(prefix, _signing_name(model), model, operations(self.desk), strict=True)
                for prefix, model in _PREFIXES.items()
            ],
            identity=verifier,
            limits=Limits(rate=1e6, burst=1e6),
            answers=self.store.answers,
            tokens=Tokens(b"a key of the rig's own"),
            clock=now,
        )
        self.site = Site(
            lambda: {"status": "ok"},
            Mounts(
                api=self.endpoint,
                enrol=Enrolment(self.store.keys, self.signing_key, "us-east-1", now),
                bundles=Bundles(BundlesOfHosts(self.store.host_commands, self.store.job), verifier),
            ),
        )
        self.address = ""
        self._agents: list[OfficialAgent] = []

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def agent(self, host: str = "web-1", **options: Any) -> OfficialAgent:
        """The official agent of *host*, not started."""
        number = len(self._agents)
        defaults: dict[str, Any] = {"key": self.key(host), "identifier": f"{ARN}{host}"}
        folder = options.pop("folder", self.folder / f"agent-{number}")
        self._agents.append(OfficialAgent(self.url, folder, **{**defaults, **options}))
        return self._agents[-1]

    async def serve(self, address: str, ready: asyncio.Event) -> None:
        def started(at: str) -> None:
            self.address = at
            ready.set()

        listening = listener(Listening(address=address), self.site, started, self.desk.close)
        async with asyncio.TaskGroup() as together:
            for work in (self.desk.run(), listening, self.driver.run()):
                together.create_task(work)

    async def close(self) -> None:
        self.desk.close()
        for agent in self._agents:
            agent.die()
        await asyncio.to_thread(lambda: [agent.stop() for agent in self._agents if agent.is_started])

    def _prepared(self, deployment: Deployment) -> Prepared:
        for file in sorted(self.folder.glob("*.stock")):
            stock = from_json(file.read_bytes(), Stock)
            if stock.revision == deployment.revision:
                return Prepared(
                    deployment_id=deployment.id, bundle=stock.bundle, appspec=stock.appspec, hosts=self.hosts
                )
        raise AssertionError(f"{deployment.revision.label} is none of ours")


@contextlib.asynccontextmanager
async def agent_rig(
    folder: Path,
    hosts: Sequence[str] = ("web-1",),
    *,
    timeouts: AgentTimeouts = AgentTimeouts(),  # noqa: B008 - frozen
    **of_desk: Any,
) -> AsyncIterator[AgentRig]:
    """Everything at work, in this loop."""
    made = AgentRig(folder, [Host(name=name, transport="agent") for name in hosts], timeouts, **of_desk)
    ready = asyncio.Event()
    serving = asyncio.create_task(made.serve("127.0.0.1:0", ready))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield made
    finally:
        waiting.cancel()
        await made.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        made.store.close()


def git(digit: str = "0") -> GitRevision:
    return revision(digit)


def _signing_name(model: Any) -> str:
    return str(model()["metadata"]["signingName"])


async def _main(folder: str, address: str, *hosts: str) -> None:
    log.configure()  # to standard error: what is said first on standard output is the address
    soon = dt.timedelta(seconds=1)
    agents = [Host(name=name, transport="agent") for name in hosts]
    made = AgentRig(Path(folder), agents, AgentTimeouts(), lost_after=soon)
    ready = asyncio.Event()
    serving = asyncio.create_task(made.serve(address, ready))
    await asyncio.wait({serving, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
    print(made.address, flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(partial(_main, *sys.argv[1:])())
