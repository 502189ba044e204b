"""A function whose alias is a value in memory. Implements port `TrafficPlatform`."""

import asyncio
from collections.abc import Callable

import msgspec

from runner.model.command import Outcome
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import TargetState, Task, TrafficJob
from runner.model.target import Diagnostics
from runner.ports import Report


class FakeTrafficPlatform:
    """*done*: every act as it was carried out, once each: deployment, event, weight.

    *begun*: every event that was asked for. An act in *held* waits until `let_go`; one in *failing* fails with that error
    code of CodeDeploy.
    """

    def __init__(self) -> None:
        self.done: list[tuple[str, str, int | None]] = []
        self.held: set[str] = set()
        self.failing: dict[str, str] = {}
        self.inspecting: Callable[[TrafficJob], None] = lambda job: None
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self._outcomes: dict[tuple[str, str, str, int], Outcome] = {}
        self._gates: dict[str, asyncio.Event] = {}

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        self.inspecting(job)
        assert isinstance(job.spec, LambdaSpec)
        current = job.spec.current_version or "1"
        state = LambdaState(
            function=job.spec.function, alias=job.spec.alias, current_version=current, target_version="2"
        )
        return job.spec.function, state

    async def act(self, task: Task, report: Report) -> Outcome:
        event = task.act.event
        self.begun.append(event)
        if task.key in self._outcomes:
            return self._outcomes[task.key]
        if event in self.held:
            try:
                await self._gates.setdefault(event, asyncio.Event()).wait()
            except asyncio.CancelledError:
                self.cancelled.append(event)
                raise
        self.done.append((task.job.deployment_id, event, task.act.weight))
        report(f"{event} done\n")
        assert isinstance(task.state, LambdaState)
        if event in self.failing:
            diagnostics = Diagnostics(error_code="UnknownError", message=f"{event} does not work")
            outcome = Outcome(succeeded=False, diagnostics=diagnostics, code=self.failing[event])
        else:
            weight = 0 if task.job.restoring else task.act.weight
            state = task.state if weight is None else msgspec.structs.replace(task.state, weight=weight)
            outcome = Outcome(succeeded=True, state=state)
        return self._outcomes.setdefault(task.key, outcome)

    def let_go(self, event: str) -> None:
        self.held.discard(event)
        self._gates.setdefault(event, asyncio.Event()).set()

    async def close(self) -> None: ...
