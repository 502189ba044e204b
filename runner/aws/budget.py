"""How often AWS may be asked: a bucket of tokens for each region, role and service. Whoever asks waits in line."""

import threading
from collections.abc import Callable, Mapping

from runner.aws.errors import AwsError
from runner.model.aws import REQUESTS_PER_SECOND, AwsPlace

_OTHERS = 10.0  # requests a second of a service that nobody named


class Bucket:
    """Gives at most *rate* turns in any second. After a pause the first few come at once, and the others evenly."""

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        # What comes at once is taken from what comes evenly: few, so that a lone deployment need not wait for each turn.
        saved = max(1.0, min(3.0, rate / 4), rate / 10)
        self._step = 1 / (rate - saved + 1)
        self._ahead = saved * self._step  # seconds of turns that may be saved up
        self._now = now
        self._next = now() - self._ahead
        self._lock = threading.Lock()

    def take(self, at_most: float) -> float | None:
        """Take the next turn: how many seconds until it is there. None, and nothing taken, when more than *at_most*."""
        with self._lock:
            now = self._now()
            turn = max(self._next, now - self._ahead + self._step)
            if turn - now > at_most:
                return None
            self._next = turn + self._step
            return max(0.0, turn - now)

    def pause(self, seconds: float) -> None:
        """No turn before *seconds* from now: AWS has said that it is too much."""
        with self._lock:
            self._next = max(self._next, self._now() + seconds)


class Budget:
    """All buckets. *rates*: as `AwsSettings.requests_per_second`."""

    def __init__(self, rates: Mapping[str, float], now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._rates = {**REQUESTS_PER_SECOND, **rates}
        self._now = now
        self._sleep = sleep
        self._buckets: dict[tuple[AwsPlace, str], Bucket] = {}
        self._lock = threading.Lock()

    def wait(self, place: AwsPlace, name: str, until: float) -> None:
        """Return when it is one's turn to call *name* (`lambda:UpdateAlias`). Raises when that is later than *until*."""
        delay = self._bucket(place, name).take(max(0.0, until - self._now()))
        if delay is None:
            raise AwsError(
                f"{name} in {place} waited too long for its turn: this process makes more requests than its budget of "
                f"{self._rate(name):g} a second; see requests_per_second under [aws] of the configuration",
                code="THROTTLED",
                operation=name,
                retryable=True,
            )
        if delay > 0:
            self._sleep(delay)

    def pause(self, place: AwsPlace, name: str, seconds: float) -> None:
        self._bucket(place, name).pause(seconds)

    def _bucket(self, place: AwsPlace, name: str) -> Bucket:
        key = (place, name if name in self._rates else name.partition(":")[0])
        with self._lock:
            if key not in self._buckets:
                self._buckets[key] = Bucket(self._rate(name), self._now)
            return self._buckets[key]

    def _rate(self, name: str) -> float:
        return self._rates.get(name) or self._rates.get(name.partition(":")[0]) or _OTHERS
