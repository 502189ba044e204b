"""One run of a hook: recorded, invoked, waited for. Whoever takes it up after a crash only waits."""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from runner.aws import AwsError
from runner.errors import WorldError
from runner.model.command import Outcome
from runner.model.program import Task
from runner.platforms.hooks import words
from runner.platforms.hooks.answers import Answers
from runner.platforms.hooks.invocation import Caller, invoke
from runner.ports import Clock, Report
from runner.ports.hooks import HookExecution, HookStore
from runner.threads import in_thread

LIMIT = dt.timedelta(hours=1)  # for an answer, since the invocation
_LOG_AFTERWARDS = 2.0  # seconds in which a function that has answered may return, for the sake of its log
_STORE_AGAIN = 1.0  # seconds
_KEPT = 20  # lines of it in the diagnostics of a failure


T = TypeVar("T")


class Means(NamedTuple):
    """What all runs share."""

    hooks: HookStore
    answers: Answers
    aws: Caller
    clock: Clock


class Run:
    """*function* is the hook of *task*."""

    def __init__(self, means: Means, task: Task, function: str, report: Report) -> None:
        self._hooks, self._answers, self._aws, self._clock = means
        self._task, self._function, self._report = task, function, report
        self._said: deque[str] = deque(maxlen=_KEPT)

    async def outcome(self) -> Outcome:
        execution = await _stored(partial(self._hooks.begin, self._task.key, self._clock()))
        if execution.status != "InProgress":
            return self._ended(execution, None)
        began = self._clock()
        mine = execution.invoked_at is None and await _stored(partial(self._hooks.mark_invoked, execution.id, began))
        until = (execution.invoked_at or began) + LIMIT
        self._tell(words.invoked(self._function, until) if mine else words.invoked_before(self._function, until))
        waiting = asyncio.create_task(self._answers.wait(execution.id, until))
        running = asyncio.create_task(self._invoke(execution)) if mine else None
        try:
            return await self._either(waiting, running, execution)
        finally:
            for task in (waiting, running):
                if task is not None:
                    task.cancel()

    async def _either(
        self,
        waiting: "asyncio.Task[HookExecution]",
        running: "asyncio.Task[AwsError | None] | None",
        execution: HookExecution,
    ) -> Outcome:
        """The answer ends it, and so does an invocation that AWS has refused."""
        if running is not None:
            await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and (refusal := running.result()) is not None:
                ended = await _stored(partial(self._hooks.give_up, execution.id, self._clock()))
                return self._ended(ended, refusal)
        ended = await waiting
        if running is not None:
            await asyncio.wait({running}, timeout=_LOG_AFTERWARDS)
        return self._ended(ended, None)

    async def _invoke(self, execution: HookExecution) -> AwsError | None:
        job = self._task.job
        return await invoke(self._aws, job.place, self._function, job.deployment_id, execution.id, self._tell)

    def _ended(self, execution: HookExecution, refusal: AwsError | None) -> Outcome:
        if execution.status == "Succeeded":
            return Outcome(succeeded=True)
        log = "".join(self._said)
        if execution.status == "Failed":
            return words.said_failed(self._task, self._function, log)
        return words.refused(self._function, refusal) if refusal else words.silent(self._task, self._function, log)

    def _tell(self, lines: str) -> None:
        self._said += lines.splitlines(keepends=True)
        self._report(lines)


async def _stored(call: Callable[[], T]) -> T:
    """A disk that is full loses no hook: the driver says so, and here it is tried again."""
    while True:
        try:
            return await in_thread(call)
        except WorldError:
            await asyncio.sleep(_STORE_AGAIN)
