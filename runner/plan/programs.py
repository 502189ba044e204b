"""From a rollout to a program: the acts and waits of one deployment to a Lambda function or an ECS service, in order.

Source: CodeDeploy user guide, "AppSpec 'hooks' section" (order of lifecycle events), "Working with deployment
configurations" (which weights at which times).
"""

from collections.abc import Iterable, Iterator, Sequence

from runner.errors import Refused
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.program import Act, Program, Step, TargetSpec, TargetState, Wait
from runner.model.rollout import CheckStep, HoldStep, RetireStep, Rollout, RolloutStep, ScaleStep, ShiftStep
from runner.model.services import EcsSpec

ALL = 100  # percent

BLUE_GREEN_TASKS = ("BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic")


def compile_program(settings: GroupSettings, spec: TargetSpec, state: TargetState, *, restoring: bool) -> Program:
    """The program of one deployment. *state*: as found before it begins. *restoring*: it undoes another one.

    Raises `Refused` when the rollout asks for what the target cannot do.
    """
    rollout = settings.rollout
    if isinstance(state, LambdaState):
        return _restoring_alias(rollout) if restoring else _alias(rollout, spec)
    if state.controller == "ECS":
        return _rolling(settings, state.service, restoring=restoring)
    if restoring:
        return _restoring_tasks(rollout)
    program = _tasks(rollout, settings.blue_green)
    _check_listeners(program, spec)
    return program


def _alias(rollout: Rollout, spec: TargetSpec) -> Program:
    publish = [Act(event="Publish")] if isinstance(spec, LambdaSpec) and spec.code else []
    before, shifts, after = _parts(rollout.steps)
    steps = [
        *publish,
        *_pauses(before),
        Act(event="BeforeAllowTraffic"),
        *_shifts(shifts),
        Act(event="AfterAllowTraffic"),
    ]
    return _program(rollout, steps, _pauses(after))


def _tasks(rollout: Rollout, waits: BlueGreen) -> Program:
    before, shifts, after = _parts(rollout.steps)
    scales = [step for step in before if isinstance(step, ScaleStep)]
    size = scales[0].percent if scales else ALL
    first = before.index(scales[0]) if scales else -1
    steps = [
        *(Act(event=event, scale=size if event == "Install" else None) for event in BLUE_GREEN_TASKS),
        *_pauses(step for index, step in enumerate(before) if index != first),
        *([Wait(kind="ready", duration=waits.ready_wait, expires="stop")] if waits.ready_wait else []),
        Act(event="BeforeAllowTraffic"),
        *_shifts(shifts),
        Act(event="AfterAllowTraffic"),
    ]
    return _program(rollout, steps, [*_pauses(after), *_end_of_the_original(after, waits)])


def _end_of_the_original(after: Sequence[RolloutStep], waits: BlueGreen) -> Iterator[Step]:
    """The manifest's `retire`, else the group's wait for termination."""
    retire = next((step for step in after if isinstance(step, RetireStep)), None)
    length = retire.after if retire else waits.termination_wait
    if length is None:
        return
    if length:
        yield Wait(kind="termination", duration=length, checks=retire.checks if retire else ())
    yield Act(event="Terminate")


def _rolling(settings: GroupSettings, service: str, *, restoring: bool) -> Program:
    """ECS replaces the tasks by itself: there is no traffic that we could move."""
    rollout = settings.rollout
    if restoring:
        return _program(rollout, [Act(event="Install")], [])
    before, shifts, after = _parts(rollout.steps)
    if asked := _not_for_ecs(settings, before, shifts):
        raise Refused(
            "INVALID_ECS_SERVICE",
            f"{asked}, but ECS itself replaces the tasks of service {service} (deployment controller ECS); use "
            "CodeDeployDefault.ECSAllAtOnce, or a service whose deployment controller is EXTERNAL",
        )
    steps = [Act(event="BeforeInstall"), Act(event="Install"), Act(event="AfterInstall")]
    return _program(rollout, steps, _pauses([*before, *after]))


def _not_for_ecs(settings: GroupSettings, before: Sequence[RolloutStep], shifts: Sequence[RolloutStep]) -> str | None:
    """What is asked for that ECS does not do when it replaces tasks by itself."""
    if len(shifts) > 1 or any(step.percent < ALL for step in shifts if isinstance(step, ShiftStep)):
        return f"{settings.rollout.name} moves traffic in steps"
    if any(isinstance(step, ScaleStep) for step in before):
        return f"{settings.rollout.name} scales the replacement in steps"
    if settings.blue_green.ready_wait:
        return f"deployments to {settings.name} wait for somebody to continue before traffic moves"
    return None


def _check_listeners(program: Program, spec: TargetSpec) -> None:
    """Source: CodeDeploy user guide, "Deployment configurations on an Amazon ECS compute platform": with a network load
    balancer only CodeDeployDefault.ECSAllAtOnce. Raises `Refused`."""
    listeners = [route.listener or "" for route in spec.routes] if isinstance(spec, EcsSpec) else []
    network = [arn for arn in listeners if "/net/" in arn]
    in_steps = any(isinstance(step, Act) and step.weight not in (None, ALL) for step in program.steps)
    if network and in_steps:
        raise Refused(
            "ELASTIC_LOAD_BALANCING_INVALID",
            f"{program.configuration} moves traffic in steps, but listener {network[0]} belongs to a network load balancer, "
            "where traffic moves all at once; use CodeDeployDefault.ECSAllAtOnce, or an application load balancer",
        )


def _restoring_alias(rollout: Rollout) -> Program:
    return _program(rollout, [Act(event="AllowTraffic", weight=ALL)], [])


def _restoring_tasks(rollout: Rollout) -> Program:
    return _program(rollout, [Act(event="AllowTraffic", weight=ALL)], [Act(event="Terminate")])


def _program(rollout: Rollout, steps: Iterable[Step], rest: Iterable[Step]) -> Program:
    """*steps*: until the target has succeeded. *rest*: what comes then."""
    first = tuple(steps)
    return Program(configuration=rollout.name, steps=(*first, *rest), serving=len(first))


def _parts(steps: Sequence[RolloutStep]) -> tuple[list[RolloutStep], list[RolloutStep], list[RolloutStep]]:
    """What comes before the first shift, from the first to the last, and after it. Without a shift: all at once."""
    places = [index for index, step in enumerate(steps) if isinstance(step, ShiftStep)]
    if not places:
        return list(steps), [ShiftStep(percent=ALL)], []
    return list(steps[: places[0]]), list(steps[places[0] : places[-1] + 1]), list(steps[places[-1] + 1 :])


def _shifts(steps: Iterable[RolloutStep]) -> Iterator[Step]:
    weight = 0
    for step in steps:
        if not isinstance(step, ShiftStep):
            yield from _pauses([step])
        elif step.every is None:
            weight = step.percent
            yield Act(event="AllowTraffic", weight=weight, checks=step.checks)
        else:
            while weight < ALL:
                weight = min(ALL, weight + step.percent)
                yield Act(event="AllowTraffic", weight=weight, checks=step.checks)
                if weight < ALL:
                    yield Wait(kind="hold", duration=step.every, checks=step.checks)


def _pauses(steps: Iterable[RolloutStep]) -> Iterator[Step]:
    """Those steps that move nothing."""
    for step in steps:
        match step:
            case HoldStep():
                yield Wait(kind="hold", duration=step.duration, checks=step.checks)
            case CheckStep():
                yield Act(event="Check", checks=step.checks)
            case ScaleStep():
                yield Act(event="Scale", scale=step.percent)
