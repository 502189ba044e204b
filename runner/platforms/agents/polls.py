"""Agents that wait for work: a future for each poll that is held, and little else, as there are thousands."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Polls(Generic[T]):
    """The polls that are held, by host. A poll is ended with an item, or with None when it has been held for *hold* s."""

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._by_host: dict[str, list[asyncio.Future[T | None]]] = {}
        self._until: dict[asyncio.Future[T | None], float] = {}  # in the order in which they end

    def __len__(self) -> int:
        return len(self._until)

    def hold(self, host: str) -> asyncio.Future[T | None]:
        """A new poll of *host*. Whoever asks for it must `release` it."""
        loop = asyncio.get_running_loop()
        poll: asyncio.Future[T | None] = loop.create_future()
        self._by_host.setdefault(host, []).append(poll)
        self._until[poll] = loop.time() + self._hold
        return poll

    def release(self, host: str, poll: asyncio.Future[T | None]) -> None:
        """Forget *poll*, however it ended."""
        self._until.pop(poll, None)
        waiting = self._by_host.get(host, [])
        if poll in waiting:
            waiting.remove(poll)
        if not waiting:
            self._by_host.pop(host, None)

    def give(self, host: str, item: T) -> bool:
        """End the oldest poll of *host* with *item*. False: none is held."""
        for poll in self._by_host.get(host, ()):
            if not poll.done():
                poll.set_result(item)
                return True
        return False

    def end_old(self, *, all_of_them: bool = False) -> None:
        """End those that have been held long enough."""
        now = asyncio.get_running_loop().time()
        for poll, until in self._until.items():
            if until > now and not all_of_them:
                return
            if not poll.done():
                poll.set_result(None)
