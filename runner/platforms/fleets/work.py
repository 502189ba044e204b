"""One act on whole fleets under way: how it calls, waits, and says what it waits for."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from runner.aws import AwsError
from runner.errors import Refused
from runner.ports import Clock, Report
from runner.threads import in_thread

T = TypeVar("T")


class Pace(NamedTuple):
    """*every*: seconds between two looks. *limit*: how long an act may take; CodeDeploy gives an hour."""

    clock: Clock
    every: float
    limit: dt.timedelta


class Work:
    def __init__(self, pace: Pace, report: Report) -> None:
        self._pace, self._report = pace, report
        self._end = pace.clock() + pace.limit
        self._said = ""

    def say(self, line: str) -> None:
        """Once, however often it is said in a row."""
        if line != self._said:
            self._said = line
            self._report(f"{line}\n")

    async def insist(self, call: Callable[[], T]) -> T:
        """What *call* returns, once AWS answers; it must be safe to repeat. Raises what waiting does not mend."""
        while True:
            try:
                return await in_thread(call)
            except AwsError as error:
                if not error.retryable or self._pace.clock() >= self._end:
                    raise
                self.say(f"AWS fails, trying again: {error.message}")
            await asyncio.sleep(self._pace.every)

    async def until(self, look: Callable[[], str]) -> None:
        """Until *look* finds nothing (`""`) that is still waited for. Raises `Refused`, TIMEOUT."""
        while left := await self.insist(look):
            self.say(left)
            if self._pace.clock() >= self._end:
                hours = self._pace.limit.total_seconds() / 3600
                raise Refused("TIMEOUT", f"after {hours:g} h there is still this to wait for: {left}")
            await asyncio.sleep(self._pace.every)
