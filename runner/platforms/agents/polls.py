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

    def end_old(self, most: int) -> bool:
        """End those that have been held long enough, *most* at a time. Returns whether there may be more."""
        now, ended = asyncio.get_running_loop().time(), 0
        for poll, until in self._until.items():
            if until > now:
                return False
            if ended == most:
                return True
            if not poll.done():
                poll.set_result(None)
                ended += 1
        return False

    def end_all(self) -> None:
        for poll in self._until:
            if not poll.done():
                poll.set_result(None)
