"""One push in a repository of a thousand applications: from the heads that a watcher saw to deployments that are durable."""

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pygit2

from benchmarks.measure import Sample, Table, Take, in_turns
from benchmarks.site import folder
from runner.config import RepositoryConfig
from runner.flow import Flow
from runner.model.target import Host
from runner.plan.lifecycle import server_in_place
from runner.sources.git.repository import GitRepository
from runner.store.store import Store

RUNS = 5
APPLICATIONS = 1000
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
BRANCH = "refs/heads/main"
MANIFEST = """penstock: v1
application: app-{number}
platform: Server
deployment_groups:
  staging:
    targets: {{tags: {{stage: staging}}}}
  production:
    after: staging
    targets: {{tags: {{stage: production}}}}
    rollout: CodeDeployDefault.OneAtATime
"""
APPSPEC = "version: 0.0\nos: linux\nhooks:\n  ApplicationStart:\n    - location: start.sh\n"
_HOSTS = [
    Host(name=f"{stage}-{number}", transport="local", folder=f"/srv/{stage}-{number}", tags={"stage": stage})
    for stage in ("staging", "production")
    for number in range(4)
]
_WARM, _COLD = "a runner that has rendered the others before", "a runner that has just started"
_FLOOR = "libgit2: what differs between the two commits"


def measure(runs: int, *, small: bool = False) -> Table:
    with folder() as place:
        site = _Monorepo(place, 20 if small else APPLICATIONS)
        rows = in_turns([_diff(site), _push(site)], runs)
    return Table(
        title="monorepo",
        about=f"A repository of {site.size:,} applications, each with a manifest of its own, two deployment groups, an "
        "AppSpec and a script. A push changes the script of one. Taken is the time from the heads that a watcher has "
        "seen until its two deployments are durable: the commit fetched from a repository on the same disk, manifests "
        "rendered, revisions resolved, plans checked. Goal: < 1000 ms.",
        rows=rows,
        floors={_WARM: _FLOOR, _COLD: _FLOOR},
    )


class _Monorepo:
    """The repository below *place*, and the state of a runner that has deployed its first commit."""

    def __init__(self, place: Path, size: int) -> None:
        self.size, self._place, self._number = size, place, 0
        self._git = pygit2.init_repository(str(place / "monorepo.git"), bare=True)
        self.before = self.head = self._commit(range(size), "first")
        self._store = Store(place / "state", server_in_place())
        self._mirror = GitRepository(RepositoryConfig(name="mono", url=self._git.path), place / "mirror.git")
        self.running = self.started()
        self.deploy(self.running)

    def started(self) -> Flow:
        """A runner that has rendered nothing yet."""
        return Flow(self._store, _Sources(self._mirror), lambda: _HOSTS, {}, lambda: NOW)  # type: ignore[arg-type]

    def push(self) -> None:
        self._number += 1
        self.before, self.head = self.head, self._commit([self._number % self.size], f"push {self._number}")

    def deploy(self, flow: Flow) -> list[str]:
        """What `flow` makes of the head."""
        flow.observe("mono", {BRANCH: self.head}, "poll")
        (change,) = self._store.pending_changes(NOW)
        return flow.act(change)

    def differing(self) -> int:
        """How many files differ between the last two commits; asked of libgit2 alone."""
        trees = [self._git[commit].peel(pygit2.Tree) for commit in (self.before, self.head)]
        return len(list(trees[0].diff_to_tree(trees[1]).deltas))

    def _commit(self, changed: Any, text: str) -> str:
        parents = [self._git.references[BRANCH].target] if BRANCH in self._git.references else []
        top = self._git.TreeBuilder(*(self._git[each].peel(pygit2.Tree) for each in parents))
        for number in changed:
            top.insert(f"app-{number}", self._application(number, text), pygit2.enums.FileMode.TREE)
        who = pygit2.Signature("benchmark", "benchmark@example.com", int(NOW.timestamp()), 0)
        return str(self._git.create_commit(BRANCH, who, who, text, top.write(), parents))

    def _application(self, number: int, text: str) -> pygit2.Oid:
        files = {"penstock.yaml": MANIFEST.format(number=number), "appspec.yml": APPSPEC, "start.sh": f"echo {text}\n"}
        folder = self._git.TreeBuilder()
        for name, content in files.items():
            folder.insert(name, self._git.create_blob(content.encode()), pygit2.enums.FileMode.BLOB)
        return folder.write()


class _Sources:
    def __init__(self, mirror: GitRepository) -> None:
        self._mirror = mirror

    def repository(self, _name: str) -> GitRepository:
        return self._mirror

    def judge(self, _repository: str, _commit_id: str, *, demanded: bool = False) -> bool:
        return demanded  # nobody demands signatures


def _push(site: _Monorepo) -> Take:
    def take() -> dict[str, Sample]:
        return {_WARM: _taken(site, site.running), _COLD: _taken(site, site.started())}

    return take


def _taken(site: _Monorepo, flow: Flow) -> Sample:
    site.push()
    wall, cpu = time.perf_counter(), time.process_time()
    made = site.deploy(flow)
    sample = Sample(time.perf_counter() - wall, time.process_time() - cpu)
    assert len(made) == 2, made
    return sample


def _diff(site: _Monorepo) -> Take:
    def take() -> dict[str, Sample]:
        site.push()
        wall, cpu = time.perf_counter(), time.process_time()
        differing = site.differing()
        sample = Sample(time.perf_counter() - wall, time.process_time() - cpu)
        assert differing == 1, differing
        site.deploy(site.running)
        return {_FLOOR: sample}

    return take
