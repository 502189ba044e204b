"""Deployments through the store and the driver, with a clock of the test's own. Drivers come and go."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from store_cases import PIPELINE, T0
from waiting import until

from runner.execute.driver import Driver
from runner.model.deployment import Deployment
from runner.store.logs import LogFiles
from runner.store.store import Store


class Driven:
    """What differs is who carries out what: `new_driver`."""

    def __init__(self, folder: Path) -> None:
        self.store, self.logs = Store(folder, PIPELINE), LogFiles(folder / "logs")
        self.time = T0
        self._driver: Driver | None = None

    def new_driver(self) -> Driver:
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def driven(self) -> AsyncIterator[Driver]:
        self._driver = driver = self.new_driver()
        running = asyncio.create_task(driver.run())
        try:
            yield driver
        finally:
            driver.drain()
            await running
            self._driver = None

    def later(self, by: dt.timedelta) -> None:
        self.time += by
        if self._driver:
            self._driver.wake()

    def get(self, deployment_id: str) -> Deployment:
        return self.store.deployment(deployment_id)

    async def comes_to(self, deployment_id: str, so: Callable[[Deployment], bool]) -> Deployment:
        await until(lambda: so(self.get(deployment_id)))
        return self.get(deployment_id)

    async def ends(self, deployment_id: str) -> Deployment:
        return await self.comes_to(deployment_id, lambda each: each.status.is_terminal)
