"""From a commit to deployments of functions and services."""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_git import commit, git, new_repository
from manifest_cases import ECS, LAMBDA
from registry import Registry, running_registry
from store_cases import PIPELINE

from runner.config import RepositoryConfig
from runner.errors import InvalidRevision
from runner.flow import Flow
from runner.model.deployment import Deployment
from runner.model.revision import ImageRevision, S3Location, S3Revision
from runner.sources.all import AllSources
from runner.store.store import Store

TASK = {"family": "api", "containerDefinitions": [{"name": "api", "memory": 512, "command": ["{{ commit.short }}"]}]}


class Sources(AllSources):
    """Buckets that hold whatever is asked for, *versioned* or not."""

    versioned = True

    def resolve(self, location: S3Location, commit_id: str | None) -> S3Revision:
        if location.pin == "version" and not self.versioned:
            raise InvalidRevision(f"{location.key} has no version")
        return S3Revision(
            bucket=location.bucket,
            key=location.key,
            bundle_type=location.bundle_type,
            etag="e",
            version="v" if location.pin == "version" else None,
            commit_id=commit_id,
        )


class World:
    """A repository in a work tree, a store, and the flow between them."""

    def __init__(self, folder: Path) -> None:
        self.work = new_repository(folder / "shop")
        self.store = Store(folder / "state", PIPELINE)
        self.sources = Sources([RepositoryConfig(name="shop", url=str(self.work))], folder / "state")
        self.now = dt.datetime.now(dt.UTC)
        self.flow = Flow(self.store, self.sources, lambda: (), {}, lambda: self.now)

    def write(self, **files: str) -> str:
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        git(self.work, "add", "--all")
        return commit(self.work)

    def see(self) -> list[Deployment]:
        self.flow.observe("shop", self.sources.repository("shop").heads(), "files")
        return [self.store.deployment(each) for each in asyncio.run(self.flow.act_on_pending())]

    def message(self) -> tuple[str, str]:
        newest = self.store.changes(limit=1)[0]
        return newest.status, newest.message


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def test_a_functions_code_is_pinned_by_its_version_for_all_groups(world: World) -> None:
    head = world.write(**{"penstock.yaml": LAMBDA})
    staging, production = world.see()
    assert staging.revision == production.revision
    assert staging.revision == S3Revision(
        bucket="acme-functions",
        key=f"resize/{head}.zip",
        bundle_type="zip",
        etag="e",
        version="v",
        commit_id=head,
    )
    assert (staging.settings.platform, production.group) == ("Lambda", "production")


def test_code_without_a_version_deploys_nothing(world: World) -> None:
    world.sources.versioned = False
    world.write(**{"penstock.yaml": LAMBDA})
    assert world.see() == []
    status, message = world.message()
    assert status == "Refused"
    assert "has no version" in message


def test_an_image_is_pinned_by_its_digest_once_it_was_pushed(world: World, registry: Registry) -> None:
    text = ECS.replace("registry.example.com", registry.address)
    head = world.write(**{"penstock.yaml": text, "ecs/task.json": json.dumps(TASK)})
    assert world.see() == []
    status, message = world.message()
    assert status == "Pending"
    assert f"there is no image {registry.address}/api:{head}; was it pushed?; waiting for it to be uploaded" in message
    digest = registry.push("api", head)
    world.now += dt.timedelta(minutes=5)
    staging, production = world.see()
    assert (
        staging.revision
        == production.revision
        == ImageRevision(repository=f"{registry.address}/api", tag=head, digest=digest, commit_id=head, git="shop")
    )
    assert production.settings.service is not None
    assert production.settings.service.names["commit"]["id"] == head


def test_a_task_definition_with_a_mistake_deploys_nothing_and_says_where(world: World, registry: Registry) -> None:
    text = ECS.replace("registry.example.com", registry.address)
    task = json.dumps(TASK, indent=1).replace('"memory"', '"memry"')
    registry.push("api", world.write(**{"penstock.yaml": text, "ecs/task.json": task}))
    assert world.see() == []
    assert world.message() == (
        "Refused",
        "ecs/task.json:6 containerDefinitions[0].memry: unknown key; did you mean memory?",
    )


def test_an_appspec_of_a_commit_is_read_before_anything_is_deployed(world: World) -> None:
    manifest = "penstock: v1\napplication: a\nplatform: Lambda\nappspec: deploy.yaml\ndeployment_groups: {all: {}}\n"
    world.write(**{"penstock.yaml": manifest})
    assert world.see() == []
    assert "holds no file deploy.yaml" in world.message()[1]
    properties = "{Name: f, Alias: a, CurrentVersion: 1, TargetVersion: 2}"
    resources = f"Resources: [{{f: {{Type: 'AWS::Lambda::Function', Properties: {properties}}}}}]\n"
    head = world.write(**{"deploy.yaml": f"version: 0.0\n{resources}"})
    (deployment,) = world.see()
    assert (deployment.revision.label, deployment.appspec) == (f"shop@sha1:{head}", "deploy.yaml")
