"""What every watcher promises, on the fake and on the real ones, with real git repositories."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fakes.heads import HeadsOnly, heads_of
from fakes.watcher import FakeWatcher
from local_git import commit, git, new_repository
from waiting import until

from runner.config import RepositoryConfig
from runner.ports import Repository, Watcher
from runner.watch.files import FileWatcher
from runner.watch.poll import Poller

Make = Callable[[Sequence[tuple[RepositoryConfig, Repository]]], Watcher]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def poller(repositories: Sequence[tuple[RepositoryConfig, Repository]]) -> Watcher:
    return Poller(repositories, clock=now)


def file_watcher(repositories: Sequence[tuple[RepositoryConfig, Repository]]) -> Watcher:
    return FileWatcher(repositories, clock=now)


@pytest.fixture(params=[FakeWatcher, poller, file_watcher], ids=["fake", "poll", "files"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param  # type: ignore[no-any-return]


class Recorder:
    """What the flow does with observations: it remembers the heads, and counts a commit once however often it is seen."""

    def __init__(self) -> None:
        self.heads: dict[str, dict[str, str]] = {}
        self.commits: list[str] = []
        self.observations = 0

    def observe(self, repository: str, heads: Mapping[str, str]) -> None:
        self.observations += 1
        known = self.heads.setdefault(repository, {})
        self.commits += [commit_id for ref, commit_id in heads.items() if known.get(ref) != commit_id]
        self.heads[repository] = dict(heads)


@asynccontextmanager
async def watching(make: Make, *folders: Path, **settings: Any) -> AsyncIterator[Recorder]:
    recorder = Recorder()
    interval = dt.timedelta(milliseconds=20)
    configs = [RepositoryConfig(name=each.name, url=str(each), interval=interval, **settings) for each in folders]
    watcher = make([(config, HeadsOnly(config.name, heads_of(Path(config.url)))) for config in configs])
    task = asyncio.create_task(watcher.run(recorder.observe))
    try:
        yield recorder
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()


async def test_what_is_there_already_is_observed(make: Make, tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    first = commit(shop)
    async with watching(make, shop) as seen:
        await until(lambda: seen.heads == {"shop": {"refs/heads/main": first}})


async def test_every_new_commit_is_observed_and_repetition_is_harmless(make: Make, tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    made = [commit(shop)]
    async with watching(make, shop) as seen:
        for number in range(3):
            await until(lambda: seen.commits == made)
            made.append(await asyncio.to_thread(commit, shop, f"change {number}"))
        await until(lambda: seen.commits == made)
        before = seen.observations
        await asyncio.to_thread(git, shop, "pack-refs", "--all")
        await asyncio.to_thread(git, shop, "gc", "--quiet")
        made.append(await asyncio.to_thread(commit, shop, "after packing"))
        await until(lambda: seen.commits == made)
        assert seen.observations > before


async def test_a_push_to_a_bare_repository_is_observed(make: Make, tmp_path: Path) -> None:
    bare, clone = new_repository(tmp_path / "shop.git", bare=True), new_repository(tmp_path / "clone")
    async with watching(make, bare, branches=("**",), tags=("v*",)) as seen:
        first = commit(clone)
        await asyncio.to_thread(
            git, clone, "push", "--quiet", str(bare), "main", "main:fix/deep/inside", "main:refs/tags/v1"
        )
        expected = {"refs/heads/main": first, "refs/heads/fix/deep/inside": first, "refs/tags/v1": first}
        await until(lambda: seen.heads.get("shop.git") == expected)
        await asyncio.to_thread(git, clone, "push", "--quiet", str(bare), ":fix/deep/inside")
        expected.pop("refs/heads/fix/deep/inside")
        await until(lambda: seen.heads["shop.git"] == expected)


async def test_only_selected_heads_are_observed(make: Make, tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    first = commit(shop)
    for branch in ("other", "release/1", "release/2/fix"):
        git(shop, "branch", branch)
    git(shop, "tag", "v1")
    async with watching(make, shop, branches=("main", "release/*"), tags=()) as seen:
        expected = {"refs/heads/main": first, "refs/heads/release/1": first}
        await until(lambda: seen.heads.get("shop") == expected)


async def test_several_repositories_are_watched_at_once(make: Make, tmp_path: Path) -> None:
    shop, till = new_repository(tmp_path / "shop"), new_repository(tmp_path / "till")
    first, second = commit(shop), commit(till, "another")
    async with watching(make, shop, till) as seen:
        await until(lambda: sorted(seen.commits) == sorted([first, second]))
        third = await asyncio.to_thread(commit, till, "one more")
        await until(lambda: seen.heads["till"] == {"refs/heads/main": third})
        assert seen.heads["shop"] == {"refs/heads/main": first}
