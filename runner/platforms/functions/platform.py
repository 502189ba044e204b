"""The platform of Lambda functions."""

from typing import Any

import msgspec

from runner.model.command import Outcome
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.program import TargetState, Task, TrafficJob
from runner.model.target import Diagnostics
from runner.platforms.functions.alias import ALL, Split, at, left_by
from runner.platforms.functions.calls import ActFailed, Caller, Lambda
from runner.platforms.functions.inspect import inspect
from runner.platforms.functions.pace import USUAL, Pace
from runner.platforms.functions.publish import Publisher
from runner.platforms.functions.traffic import Mover
from runner.platforms.functions.words import name_of, where
from runner.ports import Report


class FunctionPlatform:
    """Implements port `TrafficPlatform`. Serves many deployments at once, and holds nothing between acts."""

    def __init__(self, aws: Caller, pace: Pace = USUAL) -> None:
        self._aws, self._pace = aws, pace

    def inspect(self, job: TrafficJob) -> tuple[str, TargetState]:
        state = inspect(self._aws, self._pace, job)
        return name_of(state.function), state

    async def act(self, task: Task, report: Report) -> Outcome:
        state = task.state
        assert isinstance(state, LambdaState)
        aws = Lambda(self._aws, task.job.place, self._pace, report)
        try:
            return Outcome(succeeded=True, state=await _do(task, state, aws))
        except ActFailed as failure:
            diagnostics = Diagnostics(error_code="UnknownError", message=str(failure))
            left = _with(state, attempted=task.act.weight)  # also before a crash, so nobody can say that it was not
            return Outcome(succeeded=False, diagnostics=diagnostics, code=failure.code, state=left)

    async def close(self) -> None:
        pass


async def _do(task: Task, state: LambdaState, aws: Lambda) -> LambdaState:
    undone = task.job.restoring
    match task.act.event:
        case "Publish":
            return await _publish(task.job, state, aws)
        case "AllowTraffic" if isinstance(undone, LambdaState):
            return await _restore(undone, state, aws)
        case "AllowTraffic":
            return await _shift(ALL if task.act.weight is None else task.act.weight, state, aws)
        case other:
            raise ActFailed("INTERNAL_ERROR", f"a deployment to a Lambda function has no {other}")


async def _publish(job: TrafficJob, state: LambdaState, aws: Lambda) -> LambdaState:
    assert isinstance(job.spec, LambdaSpec) and job.spec.code is not None
    version = await Publisher(aws, job.spec, job.spec.code, job.deployment_id).publish()
    if version == state.current_version:
        name = where(job.place, state.function, state.alias)
        aws.tell(f"The {name} serves version {version} already: no traffic has to be moved.")
    return _with(state, target_version=version)


async def _shift(weight: int, state: LambdaState, aws: Lambda) -> LambdaState:
    if state.target_version == state.current_version:
        aws.tell(f"Version {state.current_version} serves already: there is nothing to move.")
        return _with(state, weight=weight)
    wanted = at(state, weight)
    revision_id = await _move(aws, state, wanted)
    return _with(state, weight=weight, revision_id=revision_id, attempted=None)


async def _restore(undone: LambdaState, state: LambdaState, aws: Lambda) -> LambdaState:
    wanted = Split(undone.current_version)
    if left_by(undone) == {wanted}:
        aws.tell("The deployment that is rolled back has moved no traffic: there is nothing to undo.")
        return _with(state, weight=ALL)
    revision_id = await _move(aws, undone, wanted)
    return _with(state, weight=ALL, revision_id=revision_id)


async def _move(aws: Lambda, left: LambdaState, wanted: Split) -> str:
    """From where *left* is to *wanted*; the alias' new RevisionId."""
    alias = await Mover(aws, left.function, left.alias, wanted, left_by(left)).move(left.revision_id)
    aws.tell(f"The {where(aws.place, left.function, left.alias)} sends its requests to {wanted}.")
    return alias.revision_id


def _with(state: LambdaState, **changes: Any) -> LambdaState:
    return msgspec.structs.replace(state, **changes)
