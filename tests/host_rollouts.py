"""Whole rollouts to given hosts: the real store, driver and platform, without a repository."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes.traffic_platform import FakeTrafficPlatform
from host_cases import tgz
from store_cases import ALL_AT_ONCE, group, manifest, revision
from waiting import until

from runner.execute.driver import Driver
from runner.model.appspec import AppSpec
from runner.model.deployment import Deployment, Options
from runner.model.executor import ExecutorSettings
from runner.model.revision import Bundle, GitRevision
from runner.model.rollout import Rollout
from runner.model.target import EventStatus, Host, LifecycleEvent, Target
from runner.model.work import Prepared, Wish
from runner.plan.lifecycle import server_in_place
from runner.platforms.server.platform import ServerPlatform
from runner.store.logs import LogFiles
from runner.store.store import Store

_SOON = dt.timedelta(seconds=1)
_QUICK = dt.timedelta(seconds=0.3)


class Rollouts:
    """Deployments to *hosts*, one group, one after the other; made by `rollouts`. Keywords: of `ServerPlatform`."""

    def __init__(self, folder: Path, hosts: Sequence[Host], **of_platform: Any) -> None:
        self.folder, self.hosts = folder, tuple(hosts)
        folder.mkdir(exist_ok=True)
        self.store = Store(folder / "state", server_in_place())
        self.logs = LogFiles(folder / "state" / "logs")
        settings = ExecutorSettings(term_grace=_QUICK, drain_grace=_QUICK)
        defaults = {"retry_for": _SOON, "settings": settings, "packs": folder / "packs"}
        self.driver = Driver(
            self.store,
            ServerPlatform(**{**defaults, **of_platform}),
            FakeTrafficPlatform(),
            lambda action: self._prepared(action.deployment),
            self.logs,
            _now,
            lambda: None,
        )
        self._contents: list[tuple[Bundle, AppSpec]] = []

    def begin(
        self, files: Mapping[str, str | bytes], spec: AppSpec, rollout: Rollout = ALL_AT_ONCE, **of_group: Any
    ) -> str:
        """Record a deployment of a bundle with *files*, which the driver then begins; returns its ID."""
        number = len(self._contents)
        self._contents.append((tgz(self.folder / f"{number}.tgz", files), spec))
        wish = Wish(
            manifest=manifest(group("production", rollout=rollout, **of_group)), revision=revision(f"{number:x}")
        )
        (made,) = self.store.create_releases("shop", [wish], "user", Options(), _now())
        self.driver.wake()
        return made

    async def ended(self, deployment_id: str) -> Deployment:
        """The deployment, once it has ended."""
        await until(lambda: self.store.deployment(deployment_id).status.is_terminal, within=60)
        return self.store.deployment(deployment_id)

    async def deploy(self, files: Mapping[str, str | bytes], spec: AppSpec, **of_group: Any) -> Deployment:
        return await self.ended(self.begin(files, spec, **of_group))

    def targets(self, deployment_id: str) -> dict[str, Target]:
        return {each.id: each for each in self.store.targets(deployment_id)}

    def failure(self, deployment_id: str, target: str) -> LifecycleEvent:
        """The one lifecycle event that failed on *target*."""
        events = self.targets(deployment_id)[target].lifecycle_events
        (failed,) = [each for each in events if each.status is EventStatus.FAILED]
        return failed

    def _prepared(self, deployment: Deployment) -> Prepared:
        assert isinstance(deployment.revision, GitRevision)
        bundle, spec = self._contents[int(deployment.revision.commit_id[0], 16)]
        return Prepared(deployment_id=deployment.id, bundle=bundle, appspec=spec, hosts=self.hosts)


@contextlib.asynccontextmanager
async def rollouts(folder: Path, hosts: Sequence[Host], **of_platform: Any) -> AsyncIterator[Rollouts]:
    """A driver at work."""
    made = Rollouts(folder, hosts, **of_platform)
    running = asyncio.create_task(made.driver.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.store.close()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
