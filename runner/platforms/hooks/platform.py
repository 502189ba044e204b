"""The hook events among a platform's: each is a Lambda function, invoked once and ended by what it tells the wire API.

Source: CodeDeploy user guide, "AppSpec 'hooks' section" for Lambda and for ECS.
"""

import asyncio
import datetime as dt
from functools import partial

from runner.aws import AwsError
from runner.model.command import Outcome
from runner.model.program import TargetState, Task, TrafficJob
from runner.model.services import EcsSpec
from runner.model.target import Diagnostics
from runner.platforms.hooks.answers import Answers
from runner.platforms.hooks.invocation import Caller, invoke
from runner.platforms.hooks.words import Said, given_up, refused, said_failed
from runner.ports import Clock, Report, TrafficPlatform
from runner.ports.hooks import HookExecution, HookStore
from runner.threads import in_thread

EVENTS = frozenset({"BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"})
LIMIT = dt.timedelta(hours=1)  # for an answer, since the invocation
_LOG_AFTERWARDS = 2.0  # seconds in which a function that has answered may return, for the sake of its log


class WithHooks:
    """Implements port `TrafficPlatform` over *platform*, which does everything but hooks.

    *serves*: this process listens, so that functions can answer. An event without a hook succeeds at once.
    """

    def __init__(
        self, platform: TrafficPlatform, hooks: HookStore, aws: Caller, clock: Clock, serves: bool, limit: dt.timedelta = LIMIT
    ) -> None:
        self._platform, self._hooks, self._aws = platform, hooks, aws
        self._clock, self._serves, self._limit = clock, serves, limit
        self._answers = Answers(hooks, clock)

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        return self._platform.inspect(job)

    async def act(self, task: Task, report: Report) -> Outcome:
        if task.act.event not in EVENTS:
            return await self._platform.act(task, report)
        function = _hook(task)
        if function is None:
            return Outcome(succeeded=True)
        if not self._serves:
            return _not_served(task, function)
        return await _Run(self, task, function, report).end()

    async def close(self) -> None:
        await self._answers.close()
        await self._platform.close()
