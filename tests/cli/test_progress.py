"""Live progress on a journal that a real store has written."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from store_cases import World, group, manifest
from waiting import until

from runner.cli.progress import Progress
from runner.model.journal import Entry


class SlowStore:
    """A real store whose journal takes until `go` to read."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.reads, self.go = threading.Event(), threading.Event()

    def journal_after(self, entry: int, limit: int) -> Sequence[Entry]:
        self.reads.set()
        assert self.go.wait(20)
        return self._store.journal_after(entry, limit)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Shown:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def show(self, entries: Sequence[Entry]) -> None:
        self.entries += entries

    def tick(self) -> None: ...

    def close(self) -> None: ...


async def test_what_is_being_read_when_the_work_is_done_is_shown_too(world: World) -> None:
    """The last entries of a rollout that ends within a blink, say."""
    world.push("1", manifest(group("staging")))
    world.settle()
    store, view = SlowStore(world.store), Shown()
    progress = Progress(store, lambda board: view, 0)  # type: ignore[arg-type]
    showing = asyncio.create_task(progress.run())
    await asyncio.to_thread(store.reads.wait)
    showing.cancel()
    await asyncio.sleep(0)
    store.go.set()
    with pytest.raises(asyncio.CancelledError):
        await showing
    await until(lambda: progress._last == world.store.last_entry_id())
    await progress.finish()
    assert view.entries == world.store.journal_after(0)
