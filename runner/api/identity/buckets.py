"""Token buckets by name: each holds a burst and fills at a rate. Memory is bounded."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias

_KEPT = 20_000  # buckets

Seconds: TypeAlias = Callable[[], float]
"""Seconds that only ever pass, such as `time.monotonic`."""


class Buckets:
    """*rate*: tokens a second; *burst*: what a full bucket holds. Safe to use from several threads."""

    def __init__(self, rate: float, burst: float, seconds: Seconds) -> None:
        self._rate, self._burst, self._seconds = rate, burst, seconds
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, and when; the least used first
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Take a token; False when there is none."""
        with self._lock:
            now = self._seconds()
            level = self._level(name, now)
            enough = level >= 1.0
            self._levels[name] = (level - 1.0 if enough else level, now)
            self._levels.move_to_end(name)
            self._forget(now)
            return enough

    def has(self, name: str) -> bool:
        """Whether there is a token to take."""
        if name not in self._levels:
            return self._burst >= 1.0
        with self._lock:
            return self._level(name, self._seconds()) >= 1.0

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, name: str, now: float) -> float:
        if (last := self._levels.get(name)) is None:
            return self._burst
        level, then = last
        return min(self._burst, level + (now - then) * self._rate)

    def _forget(self, now: float) -> None:
        """Drop the two least used where that changes nothing, as they are full again, or where there are too many."""
        for _ in range(2):
            oldest = next(iter(self._levels), None)
            if oldest is None or (len(self._levels) <= _KEPT and self._level(oldest, now) < self._burst):
                return
            del self._levels[oldest]
