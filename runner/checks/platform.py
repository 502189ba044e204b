"""The acts that only look: `Check` is done here, every other act by the platform whose traffic moves."""

import asyncio
from functools import partial

from runner.checks.asking import of_check
from runner.checks.cloudwatch import AlarmStates
from runner.checks.http import http_failure
from runner.model.aws import AwsPlace
from runner.model.checks import AlarmCheck, Check
from runner.model.command import Outcome
from runner.model.program import TargetState, Task, TrafficJob
from runner.model.target import Diagnostics
from runner.plan.alarms import check_failure
from runner.ports import Report, TrafficPlatform
from runner.threads import in_thread


class WithChecks:
    """Implements port `TrafficPlatform` over another. Checks change nothing, so they are simply run again."""

    def __init__(self, platform: TrafficPlatform, alarms: AlarmStates) -> None:
        self._platform, self._alarms = platform, alarms

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        return self._platform.inspect(job)

    async def act(self, task: Task, report: Report) -> Outcome:
        if task.act.event != "Check":
            return await self._platform.act(task, report)
        checks = {name: task.job.checks[name] for name in task.act.checks}
        failures = await asyncio.gather(*(self._failure(task.job.place, check) for check in checks.values()))
        for name, why in zip(checks, failures, strict=True):
            report(f"the check {name} {f'failed: {why}' if why else 'passed'}\n")
        failed = [of_check(name, checks[name], why) for name, why in zip(checks, failures, strict=True) if why]
        if not failed:
            return Outcome(succeeded=True)
        message = "; ".join(error.message for error in failed)
        diagnostics = Diagnostics(error_code="UnknownError", message=message)
        return Outcome(succeeded=False, diagnostics=diagnostics, code=failed[0].code)

    async def close(self) -> None:
        await self._platform.close()

    async def _failure(self, place: AwsPlace, check: Check) -> str | None:
        if isinstance(check, AlarmCheck):
            return check_failure(check, await in_thread(partial(self._alarms.read, place, [check.name])))
        return await in_thread(partial(http_failure, check))
