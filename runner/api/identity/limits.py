"""How much one access key may ask: requests a second, and polls held at a time."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from runner.api.identity.buckets import Buckets, Seconds
from runner.errors import Refused
from runner.model.identity import Principal

OPEN_POLLS = 16  # of one key; the official agent runs as many commands at a time, and polls beside them


class Limits:
    """*rate*: requests a second of one key; *burst*: how many more at once. Polls are bounded in number instead."""

    def __init__(self, rate: float = 50.0, burst: float = 200.0, seconds: Seconds = time.monotonic) -> None:
        self._buckets = Buckets(rate, burst, seconds)
        self._rate, self._burst = rate, burst
        self._polls: Counter[str] = Counter()

    def count(self, principal: Principal) -> None:
        """Count a request. Raises `Refused`, ThrottlingException, when the key has used up what it has."""
        if not self._buckets.take(principal.access_key_id):
            raise Refused(
                "ThrottlingException",
                f"this access key may send {self._rate:g} requests a second, and {self._burst:g} at once; "
                "try again in a second",
            )

    @contextmanager
    def poll(self, principal: Principal) -> Iterator[None]:
        """Hold a poll; for use in the loop only. Raises `Refused`, ThrottlingException, when too many are held."""
        key = principal.access_key_id
        if self._polls[key] >= OPEN_POLLS:
            raise Refused("ThrottlingException", f"this access key has {OPEN_POLLS} polls open already")
        self._polls[key] += 1
        try:
            yield
        finally:
            self._polls[key] -= 1
            if not self._polls[key]:
                del self._polls[key]
