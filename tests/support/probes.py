"""Health checks that are really made: a thread asks every target that a load balancer of the fake cloud watches.

Ten times as often as configured, and only on loopback. A target elsewhere, or an instance that no test has placed, cannot be
asked; it is taken to answer. Load balancers say what to ask (`Watched`); `Health` is what came of it.
"""

import http.client
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from support.complaints import complain
from support.serial import LOCK

FASTER = 10  # checks come so many times as often as their interval says
_FIRST = 0.1  # seconds between checks of a target that has never answered, at most
_TICK = 0.02  # seconds
_WITHIN = 2.0  # seconds that a check takes at most

PLACED: dict[str, tuple[str, int | None]] = {}
"""Where the web server of an EC2 instance really listens: host, and port (None: the one that is asked for)."""


def place_instance(instance: str, host: str, port: int | None = None) -> None:
    """Let load balancers find *instance* at *host*; *port* replaces every port that they would ask."""
    PLACED[instance] = (host, port)


def place(target: str, port: int) -> tuple[str, int] | None:
    """Host and port of *target* (instance or address) on loopback; None when it is not there."""
    host, own = PLACED.get(target, (target, None))
    try:
        if not ipaddress.ip_address(host).is_loopback:
            return None
    except ValueError:
        return None
    return host, own or port


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is asked. *protocol*: HTTP, HTTPS, or TCP. *codes*: like "200,300-399"."""

    protocol: str
    host: str
    port: int
    path: str = "/"
    codes: str = "200"
    timeout: float = _WITHIN

    def ask(self) -> str | None:
        """None: well. Else why not: "Target.Timeout", "Target.FailedHealthChecks", or the HTTP status."""
        try:
            return self._answer()
        except TimeoutError:
            return "Target.Timeout"
        except (OSError, http.client.HTTPException):
            return "Target.FailedHealthChecks"

    def _answer(self) -> str | None:
        kind = http.client.HTTPSConnection if self.protocol in ("HTTPS", "SSL") else http.client.HTTPConnection
        how = {"context": ssl._create_unverified_context()} if kind is http.client.HTTPSConnection else {}
        connection = kind(self.host, self.port, timeout=min(self.timeout, _WITHIN), **how)
        try:
            connection.connect()
            if self.protocol not in ("HTTP", "HTTPS"):
                return None
            connection.request("GET", self.path, headers={"user-agent": "ELB-HealthChecker/2.0"})
            status = connection.getresponse().status
        finally:
            connection.close()
        return None if matches(status, self.codes) else str(status)


def matches(status: int, codes: str) -> bool:
    """Whether *status* is among *codes*, like "200,300-399"."""
    for part in codes.split(","):
        first, _, last = part.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


class Health:
    """One target, as its checks see it. *first*: successes until it is healthy at first; *up*, *down*: later thresholds."""

    def __init__(self, *, first: int, up: int, down: int, interval: float) -> None:
        self._first, self._up, self._down = first, up, down
        self._interval = interval / FASTER
        self.state = "initial"  # initial | healthy | unhealthy
        self.reason = ""  # of `Check.ask`; "" while healthy
        self.asked = False  # at least once
        self._passed = self._failed = 0
        self._due = time.monotonic()
        self._counts = self._due + self._interval  # failures of a new target count from then on, once per interval
        self.busy = False

    def is_due(self, now: float) -> bool:
        return not self.busy and now >= self._due

    def take(self, failure: str | None, now: float) -> None:
        """Note the outcome of a check that ended at *now*."""
        self.asked, self.reason = True, failure or ""
        if failure is None:
            self._passed, self._failed = self._passed + 1, 0
            if self._passed >= (self._first if self.state == "initial" else self._up):
                self.state = "healthy"
        else:
            self._passed = 0
            if self.state != "initial" or now >= self._counts:
                self._failed, self._counts = self._failed + 1, now + self._interval
            if self._failed >= self._down:
                self.state = "unhealthy"
        self._due = now + (min(self._interval, _FIRST) if self.state == "initial" else self._interval)


@dataclass(frozen=True)
class Watched:
    """A target under watch. *check* None: nothing can be asked, it is taken to answer."""

    health: Health
    check: Check | None


class Prober:
    """Asks all that *watched* lists when it is due, until the process ends."""

    def __init__(self, watched: Callable[[], Iterable[Watched]], name: str) -> None:
        self._watched = watched
        self._pool = ThreadPoolExecutor(8, thread_name_prefix=name)
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._round()
            except Exception:  # noqa: BLE001 - a cloud without health checks would only look slow
                complain()
            time.sleep(_TICK)

    def _round(self) -> None:
        now = time.monotonic()
        with LOCK:
            watched = list(self._watched())
        for each in watched:
            if each.health.is_due(now):
                each.health.busy = True
                self._pool.submit(self._ask, each)

    def _ask(self, watched: Watched) -> None:
        try:
            watched.health.take(watched.check.ask() if watched.check else None, time.monotonic())
        finally:
            watched.health.busy = False
