"""A process that drives deployments and may die at any moment: a driver, with a store and an AWS that go silent with it."""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fakes.platform import FakePlatform

from runner.execute.driver import Driver
from runner.model.work import Action, Advance, PreparationDelayed, Prepare, Result

if TYPE_CHECKING:
    from execute.traffic_simulation import Simulation

_PATIENCE = 60.0  # seconds of real time until something has gone wrong


class Killed(BaseException):
    """The process is gone."""


class Process:
    """Implements port `DriverStore` for its own driver: everything passes through here, and nothing after its death.

    *wake_at*: when the driver has to look again by itself, once nothing is under way.
    """

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation, self._store = simulation, simulation.store
        self._alive, self._lock = True, threading.RLock()
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        self._under_way = 0
        self.wake_at: dt.datetime | None = None
        platform = simulation.platform(_Line(self, simulation))

        def prepare(action: Prepare) -> Any:
            return simulation.prepare(action, platform)

        clock = simulation.side.now
        self._driver = Driver(self, FakePlatform(), platform, prepare, simulation.logs, clock)

    def start(self) -> None:
        self._running = asyncio.create_task(self._driver.run())

    async def rests(self) -> bool:
        """Wait until there is nothing to do at this moment. False: the process has died."""
        async with asyncio.timeout(_PATIENCE):
            await self._news.wait()
        self._news.clear()
        return self._alive

    def wake(self) -> None:
        self._driver.wake()

    async def end(self) -> None:
        self._die()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    # Death.

    def kill(self) -> None:
        """Raises `Killed`, in the thread that was about to do something."""
        self._die()
        raise Killed

    def check(self) -> None:
        if not self._alive:
            raise Killed

    def _die(self) -> None:
        with self._lock:
            self._alive = False
        self._loop.call_soon_threadsafe(self._news.set)

    # Port `DriverStore`.

    def advance(self, results: Sequence[Result], now: dt.datetime, *, draining: bool = False) -> Advance:
        with self._lock:
            self.check()
            if results and self._simulation.saving() == "crash before":
                self.kill()
            advance = self._store.advance(results, now, draining=draining)
            if advance.actions and self._simulation.saving() == "crash after":
                self.kill()
            ended = [each for each in results if not isinstance(each, PreparationDelayed)]
            self._under_way += len(advance.actions) - len(ended)
            self.wake_at = advance.wake_at
            if not self._under_way:
                self._loop.call_soon_threadsafe(self._news.set)
            return advance

    def in_flight(self) -> list[Action]:
        with self._lock:
            self.check()
            found = self._store.in_flight()
            self._under_way += len(found)
            return found

    def job(self, deployment_id: str) -> Any:
        raise AssertionError("no deployment here has hosts")

    def version(self) -> int:
        """Nobody else writes unnoticed: who does wakes the driver."""
        return 0


class _Line:
    """`runner.aws.Aws` of one process."""

    def __init__(self, process: Process, simulation: "Simulation") -> None:
        self._process, self._simulation = process, simulation

    def call(self, place: Any, service: str, operation: str, params: Mapping[str, Any], **limits: float) -> Any:
        side = self._simulation.side
        return self._carry_out(operation, params, lambda: side.call(place, service, operation, params, **limits))

    def pages(
        self, place: Any, service: str, operation: str, params: Mapping[str, Any], key: str, **limits: float
    ) -> Any:
        side = self._simulation.side
        return self._carry_out(operation, params, lambda: side.pages(place, service, operation, params, key, **limits))

    def _carry_out(self, operation: str, params: Mapping[str, Any], ask: Callable[[], Any]) -> Any:
        self._process.check()
        return self._simulation.carry_out(operation, params, ask, self._process.kill)
