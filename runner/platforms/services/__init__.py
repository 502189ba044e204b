"""ECS services: blue/green with task sets (controllers EXTERNAL and CODE_DEPLOY), and what ECS drives itself."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

from runner.aws import Aws
from runner.errors import Refused, RunnerError
from runner.model.command import Outcome
from runner.model.program import Task, TrafficJob
from runner.model.services import EcsState
from runner.model.target import Diagnostics
from runner.platforms.services import ending, installing, native, rolling, shifting
from runner.platforms.services.calls import Calls
from runner.platforms.services.inspecting import inspect
from runner.platforms.services.service import describe
from runner.platforms.services.work import Pace, Work
from runner.ports import Clock, Report

Doing = Callable[[Work], Awaitable[None]]

_KEPT = 20  # lines of what was reported, in the diagnostics of a failure

_FORWARD: dict[str, Doing] = {
    "Install": installing.install,
    "AllowTestTraffic": shifting.test_traffic,
    "Scale": shifting.rescale,
    "AllowTraffic": shifting.shift,
    "Terminate": ending.terminate,
}
_BACK: dict[str, Doing] = {"AllowTraffic": ending.restore, "Terminate": ending.terminate}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class ServicePlatform:
    """Implements port `TrafficPlatform` for ECS. Keeps nothing: all that counts is in AWS and in the task's state."""

    def __init__(
        self,
        aws: Aws,
        *,
        clock: Clock = _now,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        every: float = 5.0,
        limit: dt.timedelta = dt.timedelta(minutes=60),
        settle: float = 10.0,
    ) -> None:
        """See `Pace`."""
        self._aws = aws
        self._pace = Pace(clock, clock(), pause, every, limit, settle)

    def inspect(self, job: TrafficJob) -> tuple[str, EcsState]:
        return inspect(Calls(self._aws, job.place), job)

    async def act(self, task: Task, report: Report) -> Outcome:
        said: list[str] = []

        def tell(line: str) -> None:
            said.append(line)
            report(line)

        calls = Calls(self._aws, task.job.place)
        work = Work(calls, task, tell, self._pace)
        try:
            await _do(work)
        except RunnerError as error:
            tail = "".join(said[-_KEPT:])
            diagnostics = Diagnostics(error_code="UnknownError", message=error.message, log_tail=tail)
            return Outcome(succeeded=False, diagnostics=diagnostics, code=error.code, state=work.state)
        finally:
            calls.end()
        return Outcome(succeeded=True, state=work.state)

    async def close(self) -> None:
        """There is nothing to let go of."""


async def _do(work: Work) -> None:
    event, undoing = work.task.act.event, work.task.job.restoring is not None
    if work.state.controller == "ECS":
        await _do_by_ecs(work, event, undoing)
        return
    doing = (_BACK if undoing else _FORWARD).get(event)
    if doing is None:
        raise Refused(
            "INTERNAL_ERROR", f"no {'rollback of' if undoing else 'deployment to'} a service has the act {event}"
        )
    await doing(work)


async def _do_by_ecs(work: Work, event: str, undoing: bool) -> None:
    """ECS moves traffic and ends old tasks by itself: one act does it all, and nothing remains to be terminated."""
    if event != "Install":
        raise Refused("INTERNAL_ERROR", f"no deployment to a service with the controller ECS has the act {event}")
    service = await work.do(lambda: describe(work.calls, work.spec.cluster, work.spec.service))
    if service.strategy == "ROLLING":
        await (rolling.roll_back if undoing else rolling.roll)(work)
    else:
        await (native.go_back if undoing else native.deploy)(work)
