"""The steps of a rollout, from a manifest that has passed the schema, and what must hold between them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from runner.model.duration import parse_duration
from runner.model.rollout import (
    BatchStep,
    CheckStep,
    HoldStep,
    RetireStep,
    RolloutStep,
    ScaleStep,
    Share,
    ShiftStep,
)

Path: TypeAlias = tuple[Any, ...]
Report: TypeAlias = Callable[[Path, str], None]
"""Takes a path below the rollout and what is wrong there."""

ALL = 100  # percent


def share(value: Any) -> Share:
    """`25%` or 3, as the schema lets them through."""
    if isinstance(value, str):
        return Share(value=_percent(value), percent=True)
    return Share(value=int(value))


def read(step: dict[str, Any]) -> RolloutStep:
    """One step. *step* has passed the schema: it has one verb, and perhaps `repeat`."""
    ((verb, value),) = ((key, value) for key, value in step.items() if key != "repeat")
    more: dict[str, Any] = value if isinstance(value, dict) else {}
    checks = tuple(more.get("checks", ()))
    match verb:
        case "batch":
            return BatchStep(size=share(value), repeat=step.get("repeat", False))
        case "scale":
            return ScaleStep(percent=_percent(value))
        case "shift" if more:
            return ShiftStep(percent=_percent(more["by"]), every=parse_duration(more["every"]), checks=checks)
        case "shift":
            return ShiftStep(percent=_percent(value))
        case "check":
            return CheckStep(checks=tuple(value))
        case "retire":
            return RetireStep(after=parse_duration(more["after"]), checks=checks)
        case _:
            return HoldStep(duration=parse_duration(more["for"] if more else value), checks=checks)


def check_batches(steps: Sequence[RolloutStep], report: Report) -> None:
    """Every host must be reached: the last batch takes all that is left, and only the last."""
    batches = [(index, step) for index, step in enumerate(steps) if isinstance(step, BatchStep)]
    if not steps:
        return None
    if not batches:
        return report(("steps",), "deploys to no host; add {batch: 100%}")
    for index, step in batches[:-1]:
        if _takes_all(step):
            size = "repeat: true" if step.repeat else "100%"
            report(("steps", index), f"{size} takes all hosts that are left, so the batches behind it have none")
    index, last = batches[-1]
    if not _takes_all(last):
        report(("steps", index), "the last batch must take all hosts that are left: add repeat: true, or write 100%")
    return None


def check_traffic(steps: Sequence[RolloutStep], report: Report) -> None:
    """All traffic must arrive, in shifts that rise, and on all tasks; what ends the old version comes last."""
    if any(isinstance(step, ShiftStep) for step in steps):
        _check_shifts(steps, report)
        _check_scales(steps, report)
    else:
        report(("steps",), "moves no traffic; add {shift: 100%}")
    for index, step in enumerate(steps[:-1]):
        if isinstance(step, RetireStep):
            report(("steps", index, "retire"), "must be the last step; the old version is gone after it")


def _check_shifts(steps: Sequence[RolloutStep], report: Report) -> None:
    weight, last = 0, 0
    for index, step in enumerate(steps):
        if not isinstance(step, ShiftStep):
            continue
        if weight == ALL:
            report(("steps", index, "shift"), "all traffic has moved before it")
        elif step.every is None and step.percent <= weight:
            report(("steps", index, "shift"), f"moves nothing: {weight}% have moved before it")
        weight, last = max(weight, step.percent if step.every is None else ALL), index
    if weight < ALL:
        report(("steps", last, "shift"), "the last shift must move all traffic: write 100%, or {by: ..., every: ...}")


def _check_scales(steps: Sequence[RolloutStep], report: Report) -> None:
    size: int | None = None  # None: no step has said it; then all tasks run from the start
    shifted = False
    for index, step in enumerate(steps):
        if isinstance(step, ScaleStep):
            size = ALL if size is None and shifted else size
            if size is not None and step.percent <= size:
                report(("steps", index, "scale"), f"starts nothing: {size}% of the tasks run before it")
            size = step.percent
        elif isinstance(step, ShiftStep):
            shifted = True
            if size not in (None, ALL) and (step.every is not None or step.percent == ALL):
                report(
                    ("steps", index, "shift"),
                    f"moves all traffic to {size}% of the tasks; put {{scale: 100%}} before it",
                )


def _takes_all(step: BatchStep) -> bool:
    return step.repeat or (step.size.percent and step.size.value == ALL)


def _percent(text: str) -> int:
    return int(text.removesuffix("%"))
