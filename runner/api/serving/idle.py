"""How long a connection has been idle, with a timer that is seldom touched.

One that is made after each answer and cancelled by each request costs as much as parsing the request.
"""

import asyncio
from collections.abc import Callable


class Idle:
    """*ended* is called once nothing has come for *seconds*."""

    __slots__ = ("_ended", "_loop", "_seconds", "_since", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, ended: Callable[[], None]) -> None:
        self._loop, self._seconds, self._ended = loop, seconds, ended
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return self._since is not None

    def begin(self) -> None:
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def end(self) -> None:
        """Something came."""
        self._since = None

    def cancel(self) -> None:
        self.end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        end = self._since + self._seconds
        if self._loop.time() >= end:
            self._ended()
        else:
            self._timer = self._loop.call_at(end, self._look)
