"""How much one access key may ask: requests a second, and polls held at a time."""

import time
from collections import Counter

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

    def poll(self, principal: Principal) -> "Held":
        """Holds a poll while it is entered; for use in the loop only. Entering it raises `Refused`, ThrottlingException,
        when too many are held.
        """
        return Held(self._polls, principal.access_key_id)


class Held:
    """A poll that is held. No generator: ten thousand of them would wait with the polls."""

    __slots__ = ("_key", "_polls")

    def __init__(self, polls: Counter[str], key: str) -> None:
        self._polls, self._key = polls, key

    def __enter__(self) -> None:
        if self._polls[self._key] >= OPEN_POLLS:
            raise Refused("ThrottlingException", f"this access key has {OPEN_POLLS} polls open already")
        self._polls[self._key] += 1

    def __exit__(self, *_: object) -> None:
        self._polls[self._key] -= 1
        if not self._polls[self._key]:
            del self._polls[self._key]
