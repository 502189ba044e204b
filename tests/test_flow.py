"""From a commit to deployments that are durable, on real repositories."""

import asyncio
import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest
from local_git import commit, git, new_repository
from store_cases import PIPELINE
from waiting import until

from runner.config import RepositoryConfig
from runner.errors import RevisionDoesNotExist, WorldError
from runner.flow import WAIT_FOR_OBJECT, Flow
from runner.model.revision import S3Location, S3Revision
from runner.model.target import Host
from runner.sources.all import AllSources
from runner.store.store import Store

APPSPEC = "version: 0.0\nos: linux\n"
HOSTS = (Host(name="web-1", folder="/h", tags={"app": "web"}), Host(name="db-1", folder="/h", tags={"app": "db"}))


def text(application: str = "web", *, watch: str = "", more: str = "") -> str:
    return (
        f"penstock: v1\napplication: {application}\nplatform: Server\n{watch}{more}"
        "deployment_groups:\n  production:\n    targets: {tags: {app: web}}\n"
    )


class World:
    """A repository in a work tree, a store, and the flow between them."""

    def __init__(self, folder: Path) -> None:
        self.work = new_repository(folder / "shop")
        self.store = Store(folder / "state", PIPELINE)
        config = RepositoryConfig(name="shop", url=str(self.work))
        self.sources = AllSources([config], folder / "state")
        self.now = dt.datetime.now(dt.UTC)
        self.flow = Flow(self.store, self.sources, lambda: HOSTS, {}, lambda: self.now)

    def write(self, files: dict[str, str | None]) -> str:
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        git(self.work, "add", "--all")
        return commit(self.work)

    def see(self) -> list[str]:
        """The watcher sees what the repository has, and the flow acts. Returns the applications that are deployed."""
        self.flow.observe("shop", self.sources.repository("shop").heads(), "files")
        made = asyncio.run(self.flow.act_on_pending())
        return [self.store.deployment(each).application for each in made]

    def message(self) -> tuple[str, str]:
        newest = self.store.changes(limit=1)[0]
        return newest.status, newest.message


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path)
    yield made
    made.store.close()


def test_a_commit_becomes_a_deployment_of_its_own_tree(world: World) -> None:
    head = world.write({"penstock.yaml": text(), "appspec.yml": APPSPEC})
    assert world.see() == ["web"]
    deployment = world.store.deployments()[0]
    assert deployment.revision.label == f"shop@sha1:{head}"
    assert world.message() == ("Acted", "deploys web")


def test_what_is_seen_again_is_not_deployed_again(world: World) -> None:
    world.write({"penstock.yaml": text(), "appspec.yml": APPSPEC})
    assert world.see() == ["web"]
    assert world.see() == []


def test_only_the_watched_branch_is_deployed(world: World) -> None:
    world.write({"penstock.yaml": text(watch="watch: {branch: 'release/*'}\n"), "appspec.yml": APPSPEC})
    assert world.see() == []
    assert world.message() == ("Ignored", "no application of this commit (web) watches refs/heads/main")
    git(world.work, "checkout", "--quiet", "-b", "release/1")
    assert world.see() == ["web"]


def test_only_watched_tags_are_deployed_and_branches_are_not(world: World) -> None:
    world.write({"penstock.yaml": text(watch="watch: {tag: 'v*'}\n"), "appspec.yml": APPSPEC})
    assert world.see() == []
    git(world.work, "tag", "nightly")
    assert world.see() == []
    git(world.work, "tag", "--annotate", "v1.0", "--message", "one")
    assert world.see() == ["web"]


def test_path_filters_leave_commits_out(world: World) -> None:
    world.write({"penstock.yaml": text(watch="watch: {paths: ['src/**']}\n"), "appspec.yml": APPSPEC})
    assert world.see() == ["web"]
    world.write({"README": "words"})
    assert world.see() == []
    assert world.message() == ("Ignored", "no path that the applications watch has changed")
    world.write({"src/a.py": "1"})
    assert world.see() == ["web"]
    world.write({"penstock.yaml": text(watch="watch: {paths: ['src/**', 'lib/**']}\n")})
    assert world.see() == ["web"]


def test_in_a_monorepo_only_what_changed_is_deployed(world: World) -> None:
    world.write(
        {
            **{f"{name}/penstock.yaml": text(name) for name in ("web", "api")},
            **{f"{name}/appspec.yml": APPSPEC for name in ("web", "api")},
        }
    )
    assert sorted(world.see()) == ["api", "web"]
    world.write({"api/main.py": "2"})
    assert world.see() == ["api"]
    assert world.store.deployments()[0].revision.root == "api"


def test_a_change_that_was_superseded_is_not_lost_for_path_filters(world: World) -> None:
    """Two pushes between two looks: the second touches nothing that is watched, the first does."""
    world.write({"penstock.yaml": text(watch="watch: {paths: ['src/**']}\n"), "appspec.yml": APPSPEC})
    world.see()
    world.write({"src/a.py": "1"})
    world.flow.observe("shop", world.sources.repository("shop").heads(), "files")
    world.write({"README": "words"})
    assert world.see() == ["web"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README": "x"}, "holds no penstock.yaml"),
        ({"penstock.yaml": ""}, "penstock.yaml"),
        ({"penstock.yaml": "a: [", "appspec.yml": APPSPEC}, "penstock.yaml:1"),
        ({"penstock.yaml": text(more="rolouts: {}\n"), "appspec.yml": APPSPEC}, "did you mean rollouts?"),
        ({"penstock.yaml": text(), "x/penstock.yaml": text(), "appspec.yml": APPSPEC}, "web"),
        ({"penstock.yaml": text()}, "holds no appspec.yml"),
        ({"penstock.yaml": text(), "appspec.yml": "version: 1\n"}, "appspec.yml:1 version"),
        ({"penstock.yaml": text().replace("app: web", "app: nowhere"), "appspec.yml": APPSPEC}, "no host has the tags"),
    ],
)
def test_a_commit_with_mistakes_is_refused_with_all_it_takes_to_mend_it(
    world: World, files: dict[str, str | None], said: str
) -> None:
    world.write(files)
    assert world.see() == []
    status, message = world.message()
    assert status == "Refused"
    assert said in message
    assert world.store.deployments() == []


def test_nothing_of_a_commit_is_deployed_when_one_of_its_manifests_is_wrong(world: World) -> None:
    world.write(
        {"a/penstock.yaml": text("a"), "a/appspec.yml": APPSPEC, "b/penstock.yaml": text("b"), "b/appspec.yml": "os: x"}
    )
    assert world.see() == []
    assert "b/appspec.yml" in world.message()[1]


class _Objects(AllSources):
    """Sources whose S3 has nothing until told otherwise."""

    there = False

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        if not self.there:
            raise RevisionDoesNotExist(f"there is no object s3://{location.bucket}/{location.key}")
        return S3Revision(bucket=location.bucket, key=location.key, bundle_type="tgz", etag="e", commit_id=commit_id)


def test_an_object_that_is_not_there_yet_is_waited_for(world: World, tmp_path: Path) -> None:
    sources = _Objects([RepositoryConfig(name="shop", url=str(world.work))], tmp_path / "state")
    world.flow = Flow(world.store, sources, lambda: HOSTS, {}, lambda: world.now)
    head = world.write({"penstock.yaml": text(more="revision: {s3: {bucket: releases, key: '{{ commit.id }}.tgz'}}\n")})
    assert world.see() == []
    status, message = world.message()
    assert status == "Pending"
    assert f"s3://releases/{head}.tgz; waiting for it to be uploaded" in message
    sources.there = True
    assert world.see() == []  # not before its time
    world.now += dt.timedelta(seconds=10)
    assert world.see() == ["web"]


def test_an_object_that_never_comes_is_refused_in_the_end(world: World, tmp_path: Path) -> None:
    sources = _Objects([RepositoryConfig(name="shop", url=str(world.work))], tmp_path / "state")
    world.flow = Flow(world.store, sources, lambda: HOSTS, {}, lambda: world.now)
    world.write({"penstock.yaml": text(more="revision: {s3: {bucket: releases, key: x.tgz}}\n")})
    world.see()
    world.now += WAIT_FOR_OBJECT
    world.see()
    assert world.message()[0] == "Refused"


def test_a_repository_that_cannot_be_reached_postpones_its_change_only(world: World) -> None:
    world.write({"penstock.yaml": text(), "appspec.yml": APPSPEC})
    world.flow.observe("shop", world.sources.repository("shop").heads(), "files")
    (world.work / ".git").rename(world.work / "elsewhere")
    assert asyncio.run(world.flow.act_on_pending()) == []
    assert world.message()[0] == "Pending"
    (world.work / "elsewhere").rename(world.work / ".git")
    world.now += dt.timedelta(seconds=10)
    assert world.see() == ["web"]


async def test_the_flow_acts_as_soon_as_something_is_observed(world: World) -> None:
    head = world.write({"penstock.yaml": text(), "appspec.yml": APPSPEC})
    made = asyncio.Event()
    running = asyncio.create_task(world.flow.run(made.set))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(world.flow.observe, "shop", {"refs/heads/main": head}, "files")
    await asyncio.wait_for(made.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(world.store.deployments()) == 1


class _Hanging:
    """A repository whose server never answers."""

    def __init__(self, released: threading.Event) -> None:
        self._released = released

    def fetch(self, commit_id: str) -> None:
        self._released.wait(60)
        raise WorldError("no answer")


async def test_servers_that_never_answer_hold_up_nobody_else(world: World) -> None:
    head = world.write({"penstock.yaml": text(), "appspec.yml": APPSPEC})
    released, made = threading.Event(), asyncio.Event()

    class Sources(AllSources):
        def repository(self, name: str) -> Any:
            return super().repository(name) if name == "shop" else _Hanging(released)

    sources = Sources([RepositoryConfig(name="shop", url=str(world.work))], world.work.parent / "state")
    flow = Flow(world.store, sources, lambda: HOSTS, {}, lambda: world.now)
    running = asyncio.create_task(flow.run(made.set))
    for number in range(40):
        await asyncio.to_thread(flow.observe, f"hangs-{number}", {"refs/heads/main": "a" * 40}, "poll")
    await asyncio.to_thread(flow.observe, "shop", {"refs/heads/main": head}, "poll")
    await asyncio.wait_for(made.wait(), 10)
    released.set()
    await until(lambda: not flow._acting)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [each.application for each in world.store.deployments()] == ["web"]
