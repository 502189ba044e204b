"""Deployment configurations: the predefined ones that ship with the program, and a manifest's own `rollouts`."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from runner.errors import UserError
from runner.model.duration import parse_duration
from runner.model.platform import ComputePlatform
from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, RolloutStep, Share
from runner.render.deployment_configs import PREFIX, predefined_configs
from runner.schema import did_you_mean

Path: TypeAlias = tuple[Any, ...]
Report: TypeAlias = Callable[[Path, str], None]
"""Takes a path below the rollout and what is wrong there."""

DEFAULTS: dict[ComputePlatform, str] = {
    "Server": "CodeDeployDefault.OneAtATime",
    "Lambda": "CodeDeployDefault.LambdaAllAtOnce",
    "ECS": "CodeDeployDefault.ECSAllAtOnce",
}
_PLACES: dict[ComputePlatform, str] = {"Server": "servers", "Lambda": "Lambda functions", "ECS": "ECS services"}


@functools.cache
def predefined(platform: ComputePlatform) -> dict[str, Rollout]:
    """The predefined configurations of a platform, by their full names."""
    return {name: config.rollout for name, config in predefined_configs().items() if config.platform == platform}


def find_predefined(name: str, own: Iterable[str], platform: ComputePlatform) -> Rollout:
    """The predefined configuration *name*. *own*: names of the manifest's rollouts, for suggestions.

    Raises `UserError` when there is none, saying what was likely meant.
    """
    known = predefined(platform)
    if name in known:
        return known[name]
    if name in predefined_configs():
        other = predefined_configs()[name].platform
        raise UserError(f"{name} is a configuration for {_PLACES[other]}; this application runs on {_PLACES[platform]}")
    if PREFIX + name in known:
        raise UserError(f"there is no rollout {name}; write the full name {PREFIX}{name}")
    raise UserError(f"there is no rollout {name}{did_you_mean(name, [*own, *known])}")


def custom(name: str, data: dict[str, Any], report: Report) -> Rollout:
    """The rollout *name* of a manifest. *data* has passed the schema; what is still wrong with it is reported."""
    minimum = data.get("minimum_healthy")
    max_failed = data.get("max_failed")
    steps = data.get("steps", [])
    _check_coverage(steps, report)
    return Rollout(
        name=name,
        minimum_healthy=None if minimum is None else _minimum(share(minimum)),
        # Nothing bounds failures: then the first one ends it.
        max_failed=0 if minimum is None and max_failed is None else None if max_failed is None else int(max_failed),
        steps=tuple(_step(step) for step in steps),
    )


def share(value: Any) -> Share:
    """`25%` or 3, as the schema lets them through."""
    if isinstance(value, str):
        return Share(value=int(value.removesuffix("%")), percent=True)
    return Share(value=int(value))


def _minimum(share: Share) -> MinimumHealthyHosts:
    return MinimumHealthyHosts(type="FLEET_PERCENT" if share.percent else "HOST_COUNT", value=share.value)


def _step(step: dict[str, Any]) -> RolloutStep:
    if "batch" in step:
        return BatchStep(size=share(step["batch"]), repeat=step.get("repeat", False))
    hold = step["hold"]
    return HoldStep(duration=parse_duration(hold["for"] if isinstance(hold, dict) else hold))


def _check_coverage(steps: list[dict[str, Any]], report: Report) -> None:
    """Every host must be reached: the last batch takes all that is left, and only the last."""
    batches = [(index, step) for index, step in enumerate(steps) if "batch" in step]
    if not steps:
        return None
    if not batches:
        return report(("steps",), "deploys to no host; add {batch: 100%}")
    for index, step in batches[:-1]:
        if _takes_all(step):
            size = "repeat: true" if step.get("repeat") else "100%"
            report(("steps", index), f"{size} takes all hosts that are left, so the batches behind it have none")
    index, last = batches[-1]
    if not _takes_all(last):
        report(("steps", index), "the last batch must take all hosts that are left: add repeat: true, or write 100%")
    return None


def _takes_all(step: dict[str, Any]) -> bool:
    return bool(step.get("repeat")) or step["batch"] == "100%"
