"""What the file watcher makes of everything that can happen to a repository on disk."""

import asyncio
import datetime as dt
import errno
import shutil
import time
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import structlog
from fakes.heads import HeadsOnly, heads_of
from local_git import commit, git, new_repository
from waiting import until
from watchdog.events import DirModifiedEvent, FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyObserver

from runner.config import RepositoryConfig
from runner.watch.files import FileWatcher
from runner.watch.folder import inotify, may_move_refs

NEVER = dt.timedelta(hours=1)


class Seen:
    """Heads as they are observed."""

    def __init__(self) -> None:
        self.heads: dict[str, str] = {}
        self.at: dict[str, float] = {}
        self.times = 0
        self.changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def observe(self, repository: str, heads: Mapping[str, str]) -> None:
        self.times += 1
        self.heads = dict(heads)
        for commit_id in heads.values():
            self.at.setdefault(commit_id, time.monotonic())
        self._loop.call_soon_threadsafe(self.changed.set)

    async def until(self, heads: dict[str, str], within: float = 20) -> None:
        async with asyncio.timeout(within):
            while self.heads != heads:
                await self.changed.wait()
                self.changed.clear()


@asynccontextmanager
async def watching(folder: Path, **settings: Any) -> AsyncIterator[tuple[Seen, FileWatcher]]:
    """Without its safety net, so that only events can tell it anything."""
    seen = Seen()
    config = RepositoryConfig(name="shop", url=str(folder), watch="files", branches=("**",))
    defaults: dict[str, Any] = {"safety": NEVER, "clock": lambda: dt.datetime.now(dt.UTC)}
    watcher = FileWatcher([(config, HeadsOnly("shop", heads_of(folder)))], **{**defaults, **settings})
    task = asyncio.create_task(watcher.run(seen.observe))
    try:
        yield seen, watcher
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_commit_is_seen_at_once(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    delays = []
    async with watching(shop) as (seen, _):
        for number in range(5):
            made = await asyncio.to_thread(commit, shop, f"change {number}")
            made_at = time.monotonic()
            await seen.until({"refs/heads/main": made}, within=10)
            delays.append(seen.at[made] - made_at)
    assert sorted(delays)[0] < 0.2  # the goal; the best of five, for the machine may be busy


async def test_a_push_of_many_refs_is_few_looks(tmp_path: Path) -> None:
    bare, clone = new_repository(tmp_path / "shop.git", bare=True), new_repository(tmp_path / "clone")
    made = commit(clone)
    branches = [f"b{number}/x" for number in range(30)]
    async with watching(bare) as (seen, _):
        await seen.until({})
        await asyncio.to_thread(
            git, clone, "push", "--quiet", str(bare), *(f"main:refs/heads/{each}" for each in branches)
        )
        await seen.until({f"refs/heads/{each}": made for each in branches})
        assert seen.times <= 15


async def test_looking_is_no_reason_to_look(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    made = commit(shop)
    async with watching(shop) as (seen, _):
        await seen.until({"refs/heads/main": made})
        await asyncio.to_thread(git, shop, "log", "--oneline", "--all")
        (shop / "file").write_text("text")
        await asyncio.to_thread(git, shop, "add", "file")  # writes the index, moves no ref
        times = seen.times
        await asyncio.sleep(0.1)
        assert seen.times == times == 1


async def test_packing_deleting_and_renaming_refs_are_seen(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    made = commit(shop)
    for branch in ("one", "two/deep"):
        git(shop, "branch", branch)
    async with watching(shop) as (seen, _):
        heads = {f"refs/heads/{branch}": made for branch in ("main", "one", "two/deep")}
        await seen.until(heads)
        await asyncio.to_thread(git, shop, "gc", "--quiet")  # now they are in packed-refs
        await asyncio.to_thread(git, shop, "branch", "--delete", "--force", "two/deep")
        heads.pop("refs/heads/two/deep")
        await seen.until(heads)
        await asyncio.to_thread(git, shop, "branch", "--move", "one", "three/folders/deep")
        heads["refs/heads/three/folders/deep"] = heads.pop("refs/heads/one")
        await seen.until(heads)
        heads["refs/heads/main"] = await asyncio.to_thread(commit, shop, "after packing")
        await seen.until(heads)
        await asyncio.to_thread(git, shop, "reset", "--quiet", "--hard", made)  # history goes back
        await seen.until({**heads, "refs/heads/main": made})


async def test_a_commit_in_a_linked_work_tree_is_seen(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    first = commit(shop)
    linked = tmp_path / "linked"
    git(shop, "worktree", "add", "--quiet", str(linked), "-b", "side")
    async with watching(linked) as (seen, _):
        await seen.until({"refs/heads/main": first, "refs/heads/side": first})
        made = await asyncio.to_thread(commit, linked, "on the side")
        await seen.until({"refs/heads/main": first, "refs/heads/side": made})


async def test_a_repository_that_vanishes_is_told_once_and_found_again(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    made = commit(shop)
    soon = dt.timedelta(milliseconds=20)
    with structlog.testing.capture_logs() as logs:
        async with watching(shop, first_retry=soon, safety=soon * 4) as (seen, watcher):
            await seen.until({"refs/heads/main": made})
            await asyncio.to_thread(shutil.rmtree, shop)
            await until(lambda: watcher.states()[0].failures >= 3)
            assert watcher.states()[0].last_error == f"there is no git repository at {shop}"
            again = commit(new_repository(shop), "begun anew")
            await seen.until({"refs/heads/main": again})
            last = await asyncio.to_thread(commit, shop, "and watched anew")
            await seen.until({"refs/heads/main": last})
            assert watcher.states()[0].failures == 0
    told = [each["event"] for each in logs]
    assert told[0] == "repository could not be read"
    assert told[1] == "repository answered again"
    # While it is being made anew it may fail and answer once more: never two lines of one kind in a row.
    assert all(one != other for one, other in pairwise(told))


async def test_a_folder_that_is_replaced_is_watched_anew_by_events(tmp_path: Path) -> None:
    shop, other = new_repository(tmp_path / "shop"), new_repository(tmp_path / "other")
    first, second = commit(shop), commit(other, "another history")
    async with watching(shop, safety=dt.timedelta(milliseconds=100)) as (seen, _):
        await seen.until({"refs/heads/main": first})
        shop.rename(tmp_path / "gone")  # no event tells: inotify follows the folder
        other.rename(shop)
        await seen.until({"refs/heads/main": second})
        third = await asyncio.to_thread(commit, shop, "seen here")
        await seen.until({"refs/heads/main": third})


class Exhausted(InotifyObserver):
    """inotify when the machine has no more of it to give."""

    def start(self) -> None:
        raise OSError(errno.EMFILE, "inotify instance limit reached")


async def test_without_inotify_it_looks_every_second_and_says_so(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    first = commit(shop)
    with structlog.testing.capture_logs() as logs:
        async with watching(shop, new_observer=Exhausted) as (seen, _):
            await seen.until({"refs/heads/main": first})
            made = await asyncio.to_thread(commit, shop, "seen by looking")
            await seen.until({"refs/heads/main": made})
    (told,) = logs
    assert "looking every second" in told["event"]
    assert "max_user_instances" in told["advice"]


class Refused(InotifyObserver):
    """A folder that may not be watched."""

    def start(self) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")


async def test_another_failure_of_the_system_is_reported_and_retried(tmp_path: Path) -> None:
    shop = new_repository(tmp_path / "shop")
    made = commit(shop)
    observers: list[type[BaseObserver]] = [Refused, InotifyObserver]
    with structlog.testing.capture_logs() as logs:
        settings = {"new_observer": lambda: observers.pop(0)(), "first_retry": dt.timedelta(milliseconds=10)}
        async with watching(shop, **settings) as (seen, _):
            await seen.until({"refs/heads/main": made})
    assert logs[0]["error"].startswith(f"cannot watch {shop}/.git: ")


def test_what_watchdog_warns_of_for_nothing_is_no_error() -> None:
    inotify()
    warnings.warn(
        "Callback with id '1' already exists for watch x. It will be Overwritten.", RuntimeWarning, stacklevel=1
    )


def test_only_events_that_may_move_refs_count() -> None:
    directory = Path("/shop/.git")

    def counts(event: Any) -> bool:
        return may_move_refs(event, directory)

    assert counts(FileMovedEvent("/shop/.git/refs/heads/main.lock", "/shop/.git/refs/heads/main"))
    assert counts(FileMovedEvent("/shop/.git/packed-refs.lock", "/shop/.git/packed-refs"))
    assert counts(FileDeletedEvent("/shop/.git/refs/heads/main"))
    assert counts(FileDeletedEvent("/shop/.git/refs"))
    assert counts(FileDeletedEvent("/shop/.git"))
    assert counts(FileModifiedEvent("/shop/.git/HEAD"))
    assert not counts(FileCreatedEvent("/shop/.git/refs/heads/main.lock"))
    assert not counts(FileModifiedEvent("/shop/.git/index"))
    assert not counts(FileModifiedEvent("/shop/.git/ORIG_HEAD"))
    assert not counts(DirModifiedEvent("/shop/.git/refs/heads"))
