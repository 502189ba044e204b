"""Looks at something that is slow to answer, shared by all who want the same look at the same time."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from runner.threads import in_thread

T = TypeVar("T")


class Looks:
    """Whoever asks gets an answer that was asked for after he came; who comes while one is under way waits for the next.

    So a thousand hosts that wait for one target group cost one request at a time. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def look(self, key: Hashable, ask: Callable[[], T]) -> T:
        """What *ask*, which may block and raise, answers. *key*: the same for all that ask the same."""
        if key not in self._next:
            task = asyncio.get_running_loop().create_task(self._ask(key, ask, self._running.get(key)))
            task.add_done_callback(_noticed)
            self._next[key] = task
        answer: T = await asyncio.shield(self._next[key])
        return answer

    async def _ask(self, key: Hashable, ask: Callable[[], T], before: "asyncio.Task[Any] | None") -> T:
        if before is not None:
            await asyncio.wait({before})
        self._running[key] = self._next.pop(key)
        try:
            return await in_thread(ask)
        finally:
            del self._running[key]


def _noticed(task: "asyncio.Task[Any]") -> None:
    """Nobody may be left to take what it raised."""
    if not task.cancelled():
        task.exception()
