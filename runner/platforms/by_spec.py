"""One platform over two: functions and services."""

from runner.model.command import Outcome
from runner.model.functions import LambdaSpec
from runner.model.program import TargetSpec, TargetState, Task, TrafficJob
from runner.ports import Report, TrafficPlatform


class BySpec:
    """Implements port `TrafficPlatform`."""

    def __init__(self, functions: TrafficPlatform, services: TrafficPlatform) -> None:
        self._functions, self._services = functions, services

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        return self._of(job.spec).inspect(job)

    async def act(self, task: Task, report: Report) -> Outcome:
        return await self._of(task.job.spec).act(task, report)

    async def close(self) -> None:
        await self._functions.close()
        await self._services.close()

    def _of(self, spec: TargetSpec) -> TrafficPlatform:
        return self._functions if isinstance(spec, LambdaSpec) else self._services
