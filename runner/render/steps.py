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
    """One step. *step* has passed the schema."""
    match step:
        case {"batch": size}:
            return BatchStep(size=share(size), repeat=step.get("repeat", False))
        case {"scale": size}:
            return ScaleStep(percent=_percent(size))
        case {"shift": {"by": by, "every": every, **more}}:
            return ShiftStep(percent=_percent(by), every=parse_duration(every), checks=_checks(more))
        case {"shift": to}:
            return ShiftStep(percent=_percent(to))
        case {"check": checks}:
            return CheckStep(checks=tuple(checks))
        case {"retire": {"after": after, **more}}:
            return RetireStep(after=parse_duration(after), checks=_checks(more))
        case {"hold": {"for": length, **more}}:
            return HoldStep(duration=parse_duration(length), checks=_checks(more))
        case _:
            return HoldStep(duration=parse_duration(step["hold"]))


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
        weight, last = step.percent if step.every is None else ALL, index
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


def _checks(data: dict[str, Any]) -> tuple[str, ...]:
    return tuple(data.get("checks", ()))
