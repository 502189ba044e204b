"""How long to wait before the next attempt: a random time, so that a thousand hosts do not come back at once."""

from __future__ import annotations

import random

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Full jitter: anything from nothing to a ceiling, in seconds, that doubles from *first* to *most*."""

    def __init__(
        self, first: float = 1.0, most: float = 60.0, choose: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first, self._most, self._choose = first, most, choose
        self._ceiling = first

    def next(self) -> float:
        """Seconds until the next attempt; the one after that may have to wait twice as long."""
        ceiling, self._ceiling = self._ceiling, min(2 * self._ceiling, self._most)
        return self._choose(0.0, ceiling)

    def at_most(self) -> float:
        """The longest wait, for what will not get better by itself; no less than half of it."""
        return self._choose(self._most / 2, self._most)

    def reset(self) -> None:
        """An attempt succeeded."""
        self._ceiling = self._first
