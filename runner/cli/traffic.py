"""Where the traffic of a function or a service goes, in one line."""

from runner.model.functions import LambdaState
from runner.model.program import TargetState
from runner.model.services import EcsState, TaskSet


def traffic(state: TargetState, *, ended: bool = False) -> str:
    """`alias live: 10 % to version 4, 90 % to version 3`. *ended*: so is the deployment; it may be otherwise by now."""
    if isinstance(state, EcsState) and state.controller == "ECS":
        return f"service {state.service} in {state.cluster}: ECS itself replaces its tasks"
    shares = _of_alias(state) if isinstance(state, LambdaState) else _of_service(state)
    return f"{shares}, when it ended" if ended else shares


def _of_alias(state: LambdaState) -> str:
    old = f"version {state.current_version}"
    return f"alias {state.alias}: " + _shares(state.weight, f"version {state.target_version}", old)


def _of_service(state: EcsState) -> str:
    shares = _shares(state.weight, _tasks("replacement", state.replacement), _tasks("original", state.original))
    return f"service {state.service} in {state.cluster}: {shares}"


def _tasks(name: str, tasks: TaskSet | None) -> str:
    return f"the {name}" if tasks is None else f"the {name} {tasks.id} ({tasks.running} of {tasks.desired} tasks run)"


def _shares(weight: int, new: str, old: str) -> str:
    if weight in (0, 100):
        return f"all to {new if weight else old}"
    return f"{weight} % to {new}, {100 - weight} % to {old}"
