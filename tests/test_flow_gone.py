"""A commit that was there when somebody looked, and is gone when it is to be deployed."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from gitserver import Origin, git
from store_cases import PIPELINE

from runner.config import RepositoryConfig
from runner.flow import Flow
from runner.model.target import Host
from runner.sources.all import AllSources
from runner.store.store import Store

MANIFEST = """penstock: v1
application: web
platform: Server
deployment_groups: {production: {targets: {tags: {app: web}}}}
"""
HOSTS = (Host(name="web-1", folder="/h", tags={"app": "web"}),)


class Shop:
    """A server's repository, and a flow that sees it."""

    def __init__(self, folder: Path) -> None:
        self.origin = Origin(folder / "served")
        self.store = Store(folder / "state", PIPELINE)
        self.sources = AllSources([RepositoryConfig(name="shop", url=str(self.origin.path))], folder / "state")
        self.flow = Flow(self.store, self.sources, lambda: HOSTS, {}, lambda: dt.datetime.now(dt.UTC))

    def commit(self, content: str) -> str:
        return self.origin.commit(
            {"penstock.yaml": MANIFEST, "appspec.yml": "version: 0.0\nos: linux\n", "content": content}
        )

    def look(self) -> None:
        self.flow.observe("shop", self.sources.repository("shop").heads(), "webhook")

    def act(self) -> int:
        """How many deployments were made."""
        return len(asyncio.run(self.flow.act_on_pending()))

    def collect_garbage(self) -> None:
        git("reflog", "expire", "--expire=now", "--all", cwd=self.origin.path)
        git("gc", "--quiet", "--prune=now", cwd=self.origin.path)

    def last(self) -> tuple[str, str, str]:
        """Commit, status and message of the newest change."""
        newest = self.store.changes(limit=1)[0]
        return newest.change.commit_id, newest.status, newest.message


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.store.close()


def test_a_commit_that_was_collected_after_it_was_seen_is_refused_and_the_next_one_is_deployed(shop: Shop) -> None:
    first = shop.commit("1")
    gone = shop.commit("2")
    shop.look()
    git("reset", "--quiet", "--hard", first, cwd=shop.origin.clone)
    git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/main", cwd=shop.origin.clone)
    shop.collect_garbage()
    assert shop.act() == 0
    commit_id, status, message = shop.last()
    assert (commit_id, status) == (gone, "Refused")
    assert f"has no commit {gone}; was it pushed, or since dropped by a force-push?" in message
    shop.look()
    assert shop.act() == 1
    assert shop.last()[:2] == (first, "Acted")


def test_a_branch_that_was_deleted_after_it_was_seen_is_refused_and_what_comes_back_is_deployed(shop: Shop) -> None:
    gone = shop.commit("1")
    shop.look()
    git("update-ref", "-d", "refs/heads/main", cwd=shop.origin.path)
    shop.collect_garbage()
    assert shop.act() == 0
    assert shop.last()[:2] == (gone, "Refused")
    shop.look()
    assert shop.act() == 0
    again = shop.commit("2")
    shop.look()
    assert shop.act() == 1
    assert shop.last()[:2] == (again, "Acted")
