"""The hook events among a platform's: each is a Lambda function, invoked once and ended by what it tells the wire API.

Source: CodeDeploy user guide, "AppSpec 'hooks' section" for Lambda and for ECS.
"""

from runner.model.command import Outcome
from runner.model.program import TargetState, Task, TrafficJob
from runner.model.services import EcsSpec
from runner.platforms.hooks import words
from runner.platforms.hooks.answers import Answers
from runner.platforms.hooks.beforehand import check_hooks
from runner.platforms.hooks.invocation import Caller
from runner.platforms.hooks.run import Means, Run
from runner.ports import Clock, Report, TrafficPlatform
from runner.ports.hooks import HookStore

EVENTS = frozenset(
    {"BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"}
)


class WithHooks:
    """Implements port `TrafficPlatform` over *platform*, which does everything but hooks. An event without one succeeds.

    *serves*: this process listens, so that functions can answer.
    """

    def __init__(self, platform: TrafficPlatform, hooks: HookStore, aws: Caller, clock: Clock, serves: bool) -> None:
        self._platform, self._serves = platform, serves
        self._answers = Answers(hooks, clock)
        self._means = Means(hooks, self._answers, aws, clock)

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        found = self._platform.inspect(job)
        check_hooks(self._means.aws, job, serves=self._serves)
        return found

    async def act(self, task: Task, report: Report) -> Outcome:
        if task.act.event not in EVENTS:
            return await self._platform.act(task, report)
        function = task.job.spec.hooks.get(task.act.event)
        if function is None:
            return Outcome(succeeded=True)
        if _has_no_test(task):
            report(f"{function} is not invoked: no route of the service has a test listener.\n")
            return Outcome(succeeded=True)
        if not self._serves:
            return words.not_served(task, function)
        return await Run(self._means, task, function, report).outcome()

    async def close(self) -> None:
        await self._answers.close()
        await self._platform.close()


def _has_no_test(task: Task) -> bool:
    spec = task.job.spec
    is_test = task.act.event == "AfterAllowTestTraffic" and isinstance(spec, EcsSpec)
    return is_test and not any(route.test_listener for route in spec.routes)  # type: ignore[union-attr]
