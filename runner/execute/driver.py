"""The embedded driver: one asyncio loop that asks the store what to do, does it, and tells the store how it went.

It decides nothing. Whatever is in flight when the process dies is driven again by the next one, with the same keys;
`Platform.run` makes that harmless.
"""

import asyncio
import datetime as dt
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from runner.errors import WorldError
from runner.log import get_logger
from runner.model.command import Command, Job, Outcome
from runner.model.deployment import ErrorInformation
from runner.model.target import Diagnostics, Host
from runner.model.work import (
    Action,
    Advance,
    EventEnded,
    PreparationDelayed,
    PreparationFailed,
    Prepare,
    Prepared,
    PreparedFleets,
    PreparedTraffic,
    Result,
    RunAct,
    RunEvent,
    RunFleet,
)
from runner.ports import Clock, DriverStore, Fleets, Logs, Platform, TrafficPlatform
from runner.threads import in_thread

T = TypeVar("T")

RESYNC = 5.0  # seconds: look again even if nobody told us to
GLANCE = 0.05  # seconds: how soon what another process wrote (a stop, a new deployment) is seen
PREPARE_FOR = dt.timedelta(minutes=5)  # how long a source that cannot be reached is tried
JOBS_KEPT = 256

Preparing = Callable[[Prepare], Prepared | PreparedTraffic | PreparedFleets | PreparationFailed]
"""May block, and may raise `WorldError`: then it is tried again."""


class Driver:
    """Drives every deployment in one store. There must be only one driver for a store; `wiring` sees to that.

    *recorded* is called whenever something new is durable.
    """

    def __init__(
        self,
        store: DriverStore,
        platform: Platform,
        traffic: TrafficPlatform,
        prepare: Preparing,
        logs: Logs,
        clock: Clock,
        recorded: Callable[[], None] = lambda: None,
        fleets: Fleets | None = None,
    ) -> None:
        self._recorded = recorded
        self._store, self._platform, self._prepare, self._logs = store, platform, prepare, logs
        self._traffic, self._fleets = traffic, fleets
        self._clock = clock
        self._inbox: list[Result] = []
        self._running: set[asyncio.Task[None]] = set()
        self._acts: set[asyncio.Task[None]] = set()
        self._withdrawable: dict[str, asyncio.Task[None]] = {}  # by deployment
        self._jobs: OrderedDict[str, asyncio.Future[tuple[Job, dict[str, Host]]]] = OrderedDict()
        self._woken, self._drained = asyncio.Event(), asyncio.Event()
        self._draining = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._log = get_logger()

    def wake(self) -> None:
        """Something changed; look soon. Only a hint: the driver looks by itself as well."""
        self._woken.set()

    def drain(self) -> None:
        """Start nothing more; `run` returns once the events in flight have ended and are recorded.

        Acts are broken off, which may wait for hours: each is safe to repeat, and the next process does.
        """
        self._draining = True
        for task in self._acts:
            task.cancel()
        self._drained.set()
        self._woken.set()

    async def run(self) -> None:
        """Drive until drained. Raises `WorldError` only when the store can never be written again as things stand."""
        for action in await self._blocking(self._store.in_flight):
            self._log.info("action taken up again", **self._about(action))
            self._begin(action)
        glancing = asyncio.create_task(self._glance())
        try:
            while not (self._draining and not self._running and not self._inbox):
                wake_at = await self._advance()
                await self._wait(wake_at)
        finally:
            glancing.cancel()
            await asyncio.gather(glancing, return_exceptions=True)
            await self._platform.close()
            await self._traffic.close()
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            self._thread.shutdown(wait=False)

    async def _advance(self) -> dt.datetime | None:
        results, self._inbox = self._inbox, []
        try:
            advance: Advance = await self._blocking(
                lambda: self._store.advance(results, self._clock(), draining=self._draining)
            )
        except WorldError as error:
            self._inbox = results + self._inbox  # nothing that happened is forgotten
            if not error.retryable:
                raise
            self._log.error("state not recorded, trying again", error=error.message)
            await asyncio.sleep(1)
            self._woken.set()
            return None
        if results or advance.actions:
            self._recorded()
        for action in advance.actions:
            self._begin(action)
        for deployment_id in advance.withdrawn:
            if task := self._withdrawable.get(deployment_id):
                task.cancel()
        return advance.wake_at

    async def _wait(self, wake_at: dt.datetime | None) -> None:
        if self._inbox:
            return
        seconds = RESYNC
        if wake_at is not None and not self._draining:
            seconds = min(seconds, max(0.0, (wake_at - self._clock()).total_seconds()))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # not wait_for: before Python 3.12 that can swallow a cancellation
                await self._woken.wait()
        self._woken.clear()

    async def _glance(self) -> None:
        """Notice what other processes write, by the database's own version counter."""
        seen = -1
        while True:
            try:
                version = self._store.version()
            except WorldError:
                version = seen
            if version != seen:
                seen = version
                self._woken.set()
            await asyncio.sleep(GLANCE)

    def _begin(self, action: Action) -> None:
        if self._draining and isinstance(action, RunAct | RunFleet):
            return  # its intent is recorded: the next process does it
        task = asyncio.create_task(self._record(action))
        self._running.add(task)
        task.add_done_callback(self._ended)
        if not isinstance(action, RunEvent):
            deployment_id = action.deployment.id if isinstance(action, Prepare) else action.deployment_id
            self._withdrawable[deployment_id] = task
            task.add_done_callback(partial(self._not_withdrawable, deployment_id))

        if isinstance(action, RunAct | RunFleet):
            self._acts.add(task)
            task.add_done_callback(self._acts.discard)

    def _doing(self, action: Action) -> Coroutine[Any, Any, Result | None]:
        match action:
            case Prepare():
                return self._prepared(action)
            case RunEvent():
                return self._event_ended(action)
            case RunAct():
                return self._act_ended(action)
            case RunFleet():
                return self._fleet_ended(action)

    def _not_withdrawable(self, deployment_id: str, task: asyncio.Task[None]) -> None:
        if self._withdrawable.get(deployment_id) is task:  # the next one may have begun already
            del self._withdrawable[deployment_id]

    async def _record(self, action: Action) -> None:
        if (result := await self._doing(action)) is not None:
            self._inbox.append(result)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()
        if not task.cancelled() and (bug := task.exception()):
            self._log.error("action failed with a bug", exc_info=bug)

    async def _prepared(self, action: Prepare) -> Result | None:
        """None: drained before it could be said; the next process prepares again."""
        deployment = action.deployment
        give_up_at, pause = self._clock() + PREPARE_FOR, 1.0
        while True:
            try:
                return await in_thread(partial(self._prepare, action))
            except WorldError as error:
                if self._draining:
                    return None
                if not error.retryable or self._clock() >= give_up_at:
                    code = "REVISION_MISSING" if error.code == WorldError.code else error.code
                    failed = ErrorInformation(code=code, message=error.message)
                    return PreparationFailed(deployment_id=deployment.id, error=failed)
                self._log.warning("preparation failed, trying again", deployment=deployment.id, error=error.message)
                self._inbox.append(PreparationDelayed(deployment_id=deployment.id, message=error.message))
                self._woken.set()
            except Exception as bug:  # noqa: BLE001 - one deployment's bug must not stop the others
                self._log.error("preparation failed with a bug", deployment=deployment.id, exc_info=bug)
                failed = ErrorInformation(code="INTERNAL_ERROR", message=f"internal error: {bug!r}")
                return PreparationFailed(deployment_id=deployment.id, error=failed)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._drained.wait()
                    return None
            pause = min(pause * 2, 30.0)

    async def _event_ended(self, action: RunEvent) -> Result:
        try:
            job, hosts = await self._job(action.deployment_id)
            command = Command(
                job=job,
                host=hosts[action.target],
                lifecycle_event=action.name,
                attempt=action.attempt,
                is_last=action.is_last,
            )
            self._keep(action, None)
            outcome = await self._platform.run(command, lambda text: self._keep(action, text))
        except Exception as bug:  # noqa: BLE001 - one host's bug must not stop the others
            self._log.error("lifecycle event failed with a bug", **self._about(action), exc_info=bug)
            diagnostics = Diagnostics(error_code="UnknownError", message=f"internal error: {bug!r}")
            outcome = Outcome(succeeded=False, diagnostics=diagnostics)
        return EventEnded(
            deployment_id=action.deployment_id,
            target=action.target,
            event=action.event,
            attempt=action.attempt,
            outcome=outcome,
        )

    async def _act_ended(self, action: RunAct) -> Result:
        try:
            if action.attempt == 1:  # the acts of one event keep their output one behind the other
                self._keep(action, None)
            outcome = await self._traffic.act(action.task, lambda text: self._keep(action, text))
        except Exception as bug:  # noqa: BLE001 - one deployment's bug must not stop the others
            self._log.error("act failed with a bug", **self._about(action), exc_info=bug)
            diagnostics = Diagnostics(error_code="UnknownError", message=f"internal error: {bug!r}")
            outcome = Outcome(succeeded=False, diagnostics=diagnostics, code="INTERNAL_ERROR")
        return EventEnded(
            deployment_id=action.deployment_id,
            target=action.target,
            event=action.event,
            attempt=action.attempt,
            outcome=outcome,
        )

    async def _fleet_ended(self, action: RunFleet) -> Result:
        try:
            if self._fleets is None:
                raise NotImplementedError("nobody here makes or ends fleets")
            outcome = await self._fleets.act(action.task, lambda text: self._keep(action, text))
        except Exception as bug:  # noqa: BLE001 - one deployment's bug must not stop the others
            self._log.error("act failed with a bug", **self._about(action), exc_info=bug)
            diagnostics = Diagnostics(error_code="UnknownError", message=f"internal error: {bug!r}")
            outcome = Outcome(succeeded=False, diagnostics=diagnostics, code="INTERNAL_ERROR")
        return EventEnded(
            deployment_id=action.deployment_id,
            target=action.target,
            event=action.event,
            attempt=action.attempt,
            outcome=outcome,
        )

    def _keep(self, action: RunEvent | RunAct | RunFleet, text: str | None) -> None:
        """Keep a piece of output; None: forget what a process that died had kept, all of it comes again."""
        try:
            if text is None:
                self._logs.begin(action.deployment_id, action.target, action.event)
            else:
                self._logs.append(action.deployment_id, action.target, action.event, text)
        except WorldError as error:  # a lost line of output is no reason to lose the rollout
            self._log.warning("output not kept", **self._about(action), error=error.message)

    async def _job(self, deployment_id: str) -> tuple[Job, dict[str, Host]]:
        """The same for all its events: read once, also when a thousand targets begin at the same moment."""
        if deployment_id not in self._jobs:
            reading = self._blocking(lambda: self._store.job(deployment_id))
            self._jobs[deployment_id] = asyncio.ensure_future(reading)
            while len(self._jobs) > JOBS_KEPT:
                self._jobs.popitem(last=False)
        try:
            return await asyncio.shield(self._jobs[deployment_id])
        except WorldError:
            self._jobs.pop(deployment_id, None)
            raise

    async def _blocking(self, call: Callable[[], T]) -> T:
        """Run *call* in the one thread that speaks to the store."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _about(self, action: Action) -> dict[str, str]:
        if isinstance(action, Prepare):
            return {"deployment": action.deployment.id}
        return {
            "deployment": action.deployment_id,
            "target": action.target,
            "lifecycle_event": action.name,
        }
