"""Targets whose traffic moves in the wire API's shapes: `LambdaFunctionInfo`, `ECSTaskSet`."""

from runner.api.codedeploy.wire import Shape
from runner.model.functions import LambdaState
from runner.model.services import EcsState, TaskSet
from runner.model.traffic import target_group_name


def function_info(state: LambdaState) -> Shape:
    """A `LambdaFunctionInfo`."""
    return {
        "functionName": state.function,
        "functionAlias": state.alias,
        "currentVersion": state.current_version,
        "targetVersion": state.target_version,
        "targetVersionWeight": float(state.weight),
    }


def task_sets(state: EcsState) -> list[Shape]:
    """`ECSTaskSet`s, the original first. A service whose tasks ECS replaces by itself may have none."""
    return [_task_set(each) for each in (state.original, state.replacement) if each is not None]


def _task_set(task_set: TaskSet) -> Shape:
    return {
        "identifer": task_set.id,  # the model spells it so
        "desiredCount": task_set.desired,
        "pendingCount": task_set.pending,
        "runningCount": task_set.running,
        "status": task_set.status,
        "trafficWeight": float(task_set.weight),
        "targetGroup": {"name": target_group_name(task_set.target_group)} if task_set.target_group else None,
        "taskSetLabel": task_set.label,
    }
