"""A store in a temporary folder and the usual nouns, for tests of what happens to deployments."""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from runner.model.appspec import AppSpec
from runner.model.command import Outcome
from runner.model.manifest import After, GroupSettings, Manifest, Watch
from runner.model.revision import Bundle, GitRevision
from runner.model.rollout import MinimumHealthyHosts, Rollout
from runner.model.target import Diagnostics, Host
from runner.model.work import Action, EventEnded, Prepare, Prepared, Result, RunEvent
from runner.plan.lifecycle import Pipeline
from runner.store.store import Store

EVENTS = ("ApplicationStop", "DownloadBundle", "Install", "ValidateService")
PIPELINE = Pipeline(
    events=("BlockTraffic", *EVENTS, "AllowTraffic"), traffic=frozenset({"BlockTraffic", "AllowTraffic"})
)
T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ALL_AT_ONCE = Rollout(
    name="CodeDeployDefault.AllAtOnce", minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=0)
)
ONE_AT_A_TIME = Rollout(
    name="CodeDeployDefault.OneAtATime", minimum_healthy=MinimumHealthyHosts(type="MOST_CONCURRENCY", value=1)
)


def begin_with_tables(folder: Path) -> None:
    """Put the database of a new state folder there, unless there is one: the migrations take a twentieth of a second."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (folder / "penstock.db").touch(mode=0o600, exist_ok=False)
        (folder / "penstock.db").write_bytes(_new_database())


@cache
def _new_database() -> bytes:
    with tempfile.TemporaryDirectory(prefix="penstock-new-") as folder:
        Store(Path(folder), PIPELINE).close()
        return (Path(folder) / "penstock.db").read_bytes()


def group(name: str, **settings: Any) -> GroupSettings:
    return GroupSettings(**{"name": name, "tags": {"stage": (name,)}, "rollout": ALL_AT_ONCE} | settings)


def manifest(*groups: GroupSettings, **changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "application": "shop",
        "platform": "Server",
        "file": "penstock.yaml",
        "root": "",
        "watch": Watch(),
        "revision": None,
        "appspec": "appspec.yml",
        "groups": groups or (group("staging"), group("production", after=After(group="staging"))),
    }
    return Manifest(**fields | changes)


def revision(digit: str) -> GitRevision:
    return GitRevision(repository="shop", commit_id=digit * 40)


class World:
    """A store, a clock, and hosts on which events succeed unless told otherwise; everything in one thread."""

    def __init__(self, folder: Path, hosts: int = 2) -> None:
        begin_with_tables(folder)
        self.store = Store(folder, PIPELINE)
        self.now = T0
        self.hosts = hosts
        self.fails: Callable[[RunEvent], bool] = lambda event: False
        self.ran: list[RunEvent] = []

    def tick(self, seconds: float = 1) -> None:
        self.now += dt.timedelta(seconds=seconds)

    def push(self, digit: str, *manifests: Manifest) -> list[str]:
        """A commit that is seen and acted on; returns the deployments."""
        self.tick()
        self.store.observe("shop", {"refs/heads/main": digit * 40}, "poll", self.now)
        change = self.store.pending_changes(self.now)[-1]
        wanted = manifests or (manifest(),)
        pairs = [(each, revision(digit)) for each in wanted]
        return self.store.act(change, wanted, pairs, self.now, message="deploys shop")

    def result(self, action: Action) -> Result:
        if isinstance(action, Prepare):
            place = action.deployment.group
            return Prepared(
                deployment_id=action.deployment.id,
                bundle=Bundle(path="/b", bundle_type="tar", sha256="00", size=1),
                appspec=AppSpec(),
                hosts=tuple(Host(name=f"{place}-{number}", folder="/h") for number in range(1, self.hosts + 1)),
            )
        self.ran.append(action)
        failed = self.fails(action)
        diagnostics = (
            Diagnostics(error_code="ScriptFailed", script_name="x.sh", message="no") if failed else Diagnostics()
        )
        return EventEnded(
            deployment_id=action.deployment_id,
            target=action.target,
            event=action.event,
            attempt=action.attempt,
            outcome=Outcome(succeeded=not failed, diagnostics=diagnostics),
        )

    def step(self, actions: list[Action], results: list[Result] | None = None) -> list[Action]:
        """Carry out *actions* and record how they went; returns what is to be done next."""
        done = [self.result(action) for action in actions] if results is None else results
        return list(self.store.advance(done, self.now).actions)

    def settle(self) -> None:
        """Drive until nothing more is to be done at this moment."""
        actions = self.step([])
        while actions:
            actions = self.step(actions)

    def statuses(self) -> dict[str, str]:
        """Group and commit of every deployment, in order of creation, to its status."""
        return {
            f"{each.group} {each.revision.short[0]} {each.creator}": str(each.status)
            for each in reversed(self.store.deployments())
        }
