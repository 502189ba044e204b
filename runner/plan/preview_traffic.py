"""The same for functions and services: how their traffic would move, and when."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from runner.model.aws import AwsPlace
from runner.model.duration import format_duration
from runner.model.functions import LambdaSpec
from runner.model.manifest import GroupSettings
from runner.model.program import Act, Step, TargetSpec, Wait
from runner.model.revision import Revision
from runner.model.status import GroupState
from runner.model.value import Value
from runner.plan.forecast import TrafficForecast
from runner.plan.words import listed

LONGEST_HOOK = dt.timedelta(hours=1)  # user guide, "AppSpec 'hooks' section": without an answer it fails then
LONGEST_INSTALL = dt.timedelta(hours=1)  # until the replacement's tasks run steadily
_NOTHING = dt.timedelta(0)
_ALL = 100  # percent
_FEW = 3  # shifts alike that are shown one by one


class TrafficOutline(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One group. *target*: `resize`, `cluster:api`. *steps*: of its program. The ends are as those of an `Outline`."""

    application: str
    group: str
    revision: Revision
    current: Revision | None
    under_way: str | None
    rollout: str
    target: str
    hooks: dict[str, str]
    steps: tuple[Step, ...]
    settings: GroupSettings
    earliest_end: dt.timedelta
    latest_end: dt.timedelta | None


def traffic_outline(
    each: TrafficForecast, known: GroupState | None, earliest: dt.timedelta, latest: dt.timedelta | None
) -> TrafficOutline:
    active = known.active if known else None
    return TrafficOutline(
        application=each.application,
        group=each.settings.name,
        revision=each.revision,
        current=each.current,
        under_way=active.id if active else None,
        rollout=each.program.configuration,
        target=_target(each.spec),
        hooks=each.spec.hooks,
        steps=each.program.steps,
        settings=each.settings,
        earliest_end=earliest,
        latest_end=latest,
    )


def traffic_length(each: TrafficForecast) -> tuple[dt.timedelta, dt.timedelta]:
    """At least all waits but the one for somebody to continue; at most that one, every hook and the tasks' start too."""
    waits = [step for step in each.program.steps if isinstance(step, Wait)]
    ready = sum((step.duration or _NOTHING for step in waits if step.kind == "ready"), _NOTHING)
    hooks = sum(step.event in each.spec.hooks for step in each.program.steps if isinstance(step, Act))
    installs = 0 if isinstance(each.spec, LambdaSpec) else 1
    return each.program.waits - ready, each.program.waits + hooks * LONGEST_HOOK + installs * LONGEST_INSTALL


def facts_of_traffic(each: TrafficOutline) -> Iterator[tuple[str, str]]:
    yield "rollout", f"{each.rollout}: {_moves(each)}"
    if each.settings.place != AwsPlace():
        yield "in AWS", str(each.settings.place)
    for number, text in enumerate(_texts(each.steps, each.hooks, each.settings), start=1):
        yield f"step {number}", text
    if each.settings.service and any(step.event == "Install" for step in each.steps if isinstance(step, Act)):
        yield "but", _if_ecs_replaces(each.steps)


def end_of_traffic(each: TrafficOutline) -> str:
    first = f"{format_duration(each.earliest_end)} after the start" if each.earliest_end else "as soon as it has moved"
    if each.latest_end is None:
        return f"earliest {first}; latest unknown"
    slow = ["every hook"] if each.hooks else []
    slow += ["the start of the tasks"] if each.settings.platform == "ECS" else []
    if not slow:
        return f"earliest {first}; not much later, if AWS answers"
    verb = "take" if len(slow) > 1 else "takes"
    as_long = f"{' and '.join(slow)} {verb} as long as {'they' if len(slow) > 1 else 'it'} may"
    return f"earliest {first}; latest {format_duration(each.latest_end)} if {as_long}"


def watching(checks: Sequence[str]) -> str:
    """What is looked at during a step, to be put behind it."""
    return f", watching {listed(list(checks), 12)}" if checks else ""


def _target(spec: TargetSpec) -> str:
    return spec.function if isinstance(spec, LambdaSpec) else f"{spec.cluster}:{spec.service}"


def _moves(each: TrafficOutline) -> str:
    if each.settings.platform == "Lambda":
        function = each.settings.function
        return f"the traffic of {f'alias {function.alias}' if function else 'an alias'} of function {each.target}"
    return f"the traffic of service {each.target}"


def _texts(steps: Sequence[Step], hooks: Mapping[str, str], settings: GroupSettings) -> Iterator[str]:
    """What happens, one after the other; an event that does nothing here is left out."""
    at = 0
    while at < len(steps):
        run = _shifts_alike(steps[at:])
        if len(run) > _FEW:
            yield _many(run)
            at += 2 * len(run) - 1
            continue
        step = steps[at]
        text = _wait(step) if isinstance(step, Wait) else _act(step, hooks, settings)
        if text:
            yield text
        at += 1


def _shifts_alike(steps: Sequence[Step]) -> list[tuple[Act, Wait]]:
    """The shifts that *steps* begin with, as far as the same wait lies between them, each with that wait."""
    pairs = list(zip(steps[::2], steps[1::2], strict=False))
    first = pairs[0][1] if pairs else None
    alike = takewhile(lambda pair: _is_shift(pair[0]) and pair[1] == first, pairs)
    run = [(act, wait) for act, wait in alike if isinstance(act, Act) and isinstance(wait, Wait)]
    last = steps[2 * len(run)] if len(steps) > 2 * len(run) else None
    if run and isinstance(last, Act) and _is_shift(last):
        run.append((last, run[-1][1]))  # no wait behind it belongs to the run
    return run


def _is_shift(step: Step) -> bool:
    return isinstance(step, Act) and step.weight is not None


def _many(run: Sequence[tuple[Act, Wait]]) -> str:
    (first, wait), (last, _) = run[0], run[-1]
    weights = f"{first.weight} % of the traffic, then more and more to {last.weight} % in {len(run)} shifts"
    return f"{weights}, {format_duration(wait.duration or _NOTHING)} apart{watching(wait.checks)}"


def _wait(step: Wait) -> str:
    length = format_duration(step.duration) if step.duration is not None else ""
    match step.kind:
        case "ready":
            return f"wait for `penstock continue`, {length} at most; else it stops"
        case "termination":
            return f"keep the old version for {length}{watching(step.checks)}"
        case _:
            return f"hold for {length}{watching(step.checks)}"


def _act(step: Act, hooks: Mapping[str, str], settings: GroupSettings) -> str:
    if step.event in hooks:
        return f"{step.event}: {hooks[step.event]} validates"
    match step.event:
        case "Publish":
            return "publish a version of the function"
        case "Install":
            return f"start the replacement, {step.scale or _ALL} % of its tasks"
        case "Scale":
            return f"scale the replacement to {step.scale} % of its tasks"
        case "AllowTestTraffic" if _has_test_listener(settings):
            return "the test listener leads to the replacement"
        case "AllowTraffic":
            return f"{step.weight} % of the traffic{watching(step.checks)}"
        case "Check":
            return f"check {listed(list(step.checks), 12)}"
        case "Terminate":
            return "end the old version"
        case _:
            return ""


def _has_test_listener(settings: GroupSettings) -> bool:
    return settings.service is not None and any(route.test_listener for route in settings.service.routes)


def _if_ecs_replaces(steps: Sequence[Step]) -> str:
    shifts = [step for step in steps if _is_shift(step)]
    then = "this rollout cannot be" if len(shifts) > 1 else "it is one rolling update, and nothing is shifted"
    return f"where ECS itself replaces the tasks (deployment controller ECS) {then}"
