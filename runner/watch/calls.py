"""Those who cannot wait for the next poll. All who call before a look begins share that look."""

import asyncio
import math

from runner.errors import WorldError

TICK = 0.1  # seconds; many repositories whose time has come are asked in one turn of the loop, at half the cost


class Calls:
    """The calls for one repository."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None
        self._looking: asyncio.Future[None] | None = None
        self._resting: asyncio.Future[None] | None = None

    async def look(self) -> None:
        """Return once a look that begins from now on has ended well. Raises what it raises."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
            _wake(self._resting)
        await asyncio.shield(self._waiting)

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for a look to begin."""
        return self._waiting is not None

    @property
    def is_called_for(self) -> bool:
        """Whether somebody has called for the look that is under way."""
        return self._looking is not None

    async def rest(self, seconds: float) -> None:
        """Wait so many seconds (up to a tick more), or until somebody calls."""
        if self._waiting is not None or seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        self._resting = loop.create_future()
        due = loop.time() + seconds
        timer = loop.call_at(math.ceil(due / TICK) * TICK if seconds > TICK else due, _wake, self._resting)
        try:
            await self._resting
        finally:
            timer.cancel()
            self._resting = None

    def begin(self) -> None:
        """A look begins, for all who have called. Again within one look: those who called since then wait for the next."""
        if self._looking is None:
            self._looking, self._waiting = self._waiting, None

    def end(self, error: Exception | None = None) -> None:
        """The look has ended."""
        looked, self._looking = self._looking, None
        _settle(looked, error)

    def close(self) -> None:
        """Nobody looks any more."""
        stopped = WorldError("the watcher was stopped before it had looked")
        self.end(stopped)
        waiting, self._waiting = self._waiting, None
        _settle(waiting, stopped)


def _wake(resting: asyncio.Future[None] | None) -> None:
    if resting is not None and not resting.done():
        resting.set_result(None)


def _settle(future: asyncio.Future[None] | None, error: Exception | None) -> None:
    if future is None:
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()  # whoever called may be gone: that is no error of its own
