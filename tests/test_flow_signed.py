"""A commit that must be signed, from the push to the deployment, or to the reason why there is none."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from commit_signers import Signers, commit_signed, signers
from local_git import commit, git, new_repository
from store_cases import PIPELINE

from runner.config import RepositoryConfig, SignaturesConfig
from runner.execute.prepare import prepare
from runner.flow import Flow
from runner.model.revision import GitRevision
from runner.model.target import Host
from runner.model.work import PreparationFailed
from runner.service import Service
from runner.sources.all import AllSources
from runner.store.store import Store

MANIFEST = """\
penstock: v1
application: web
platform: Server
deployment_groups:
  production:
    targets: {tags: {app: web}}
"""
HOSTS = (Host(name="web-1", folder="/h", tags={"app": "web"}),)


@pytest.fixture(scope="module")
def people() -> Iterator[Signers]:
    with signers() as made:
        made.ssh("ada")
        made.ssh("eve")
        yield made


class World:
    def __init__(self, people: Signers, folder: Path, signatures: SignaturesConfig | None) -> None:
        self.people, self.work = people, new_repository(folder / "shop")
        self.store = Store(folder / "state", PIPELINE)
        config = RepositoryConfig(name="shop", url=str(self.work), signatures=signatures)
        self.sources = AllSources([config], folder / "state")
        self.flow = Flow(self.store, self.sources, lambda: HOSTS, {}, lambda: dt.datetime.now(dt.UTC))
        self.service = Service(self.store, lambda: HOSTS, lambda: dt.datetime.now(dt.UTC))
        self.write(".penstock/allowed_signers", f"ada@example.com {people.public('ada')}\n")
        self.manifest()
        self.write("appspec.yml", "version: 0.0\nos: linux\n")

    def manifest(self, more: str = "") -> None:
        self.write("penstock.yaml", MANIFEST + more)

    def write(self, name: str, content: str) -> None:
        (self.work / name).parent.mkdir(exist_ok=True)
        (self.work / name).write_text(content)

    def push(self, by: str | None) -> str:
        git(self.work, "add", "--all")
        return commit_signed(self.work, self.people.by_ssh(by)) if by else commit(self.work)

    def see(self) -> tuple[str, str, int]:
        """Status and message of the newest change, and how many deployments it made."""
        self.flow.observe("shop", self.sources.repository("shop").heads(), "files")
        made = asyncio.run(self.flow.act_on_pending())
        newest = self.store.changes(limit=1)[0]
        return newest.status, newest.message, len(made)


@pytest.fixture
def world(people: Signers, tmp_path: Path) -> Iterator[World]:
    made = World(people, tmp_path, SignaturesConfig(branch="main"))
    made.push("ada")
    yield made
    made.store.close()


def test_a_signed_commit_is_deployed(world: World) -> None:
    world.push("ada")
    assert world.see() == ("Acted", "deploys web", 1)


@pytest.mark.parametrize(("by", "why"), [(None, "it is not signed"), ("eve", "not on the list of signers")])
def test_any_other_is_refused_with_its_reason(world: World, by: str | None, why: str) -> None:
    head = world.push(by)
    status, message, made = world.see()
    assert (status, made) == ("Refused", 0)
    assert message.startswith(f"commit {head[:10]} of shop is refused: ")
    assert why in message
    assert world.store.deployments() == []


def test_the_manifests_of_an_unsigned_commit_are_not_even_read(world: World) -> None:
    world.write("penstock.yaml", "nonsense: [")
    world.push(None)
    assert "it is not signed" in world.see()[1]


def test_the_next_signed_commit_is_deployed_after_a_refused_one(world: World) -> None:
    world.push(None)
    assert world.see()[0] == "Refused"
    world.push("ada")
    assert world.see() == ("Acted", "deploys web", 1)


def test_a_revision_that_was_deployed_can_be_deployed_again_when_its_signer_is_gone(world: World) -> None:
    world.push("ada")
    world.see()
    deployment = world.store.deployments()[0]
    world.write(".penstock/allowed_signers", f"eve@example.com {world.people.public('eve')}\n")
    world.push("ada")
    world.push("eve")
    world.see()
    again = world.service.redeploy(deployment.id)
    revision = world.store.deployment(again[0]).revision
    assert revision == deployment.revision
    assert world.sources.fetch(revision).size


@pytest.mark.parametrize("by", [None, "ada"])
def test_a_manifest_that_demands_signatures_needs_a_configuration_that_names_signers(
    people: Signers, tmp_path: Path, by: str | None
) -> None:
    world = World(people, tmp_path, None)
    world.manifest("signed: required\n")
    world.push(by)
    status, message, made = world.see()
    world.store.close()
    assert (status, made) == ("Refused", 0)
    assert "give the repository a table `signatures`" in message


def test_a_manifest_may_demand_what_the_configuration_leaves_open(people: Signers, tmp_path: Path) -> None:
    world = World(people, tmp_path, SignaturesConfig(branch="main", required=False))
    world.push(None)
    world.push(None)
    assert world.see()[0] == "Acted"
    world.manifest("signed: required\n")
    world.push(None)
    assert "it is not signed" in world.see()[1]
    world.push("ada")
    assert world.see()[0] == "Acted"
    world.store.close()


def test_a_deployment_that_the_api_made_of_an_unsigned_commit_fails_before_any_host_is_touched(world: World) -> None:
    world.push("ada")
    world.see()
    unsigned = GitRevision(repository="shop", commit_id=world.push(None))
    asked = msgspec.structs.replace(world.store.deployments()[0], revision=unsigned)
    done = prepare(asked, world.sources, lambda: HOSTS, lambda hosts, settings: None)
    assert isinstance(done, PreparationFailed)
    assert done.error.code == "INVALID_REVISION"
    assert "it is not signed" in done.error.message
