"""Deployment configurations: the predefined ones that ship with the program, and a manifest's own `rollouts`."""

import functools
from collections.abc import Iterable
from typing import Any

from runner.errors import UserError
from runner.model.platform import ComputePlatform
from runner.model.rollout import MinimumHealthyHosts, Rollout, Share
from runner.render.deployment_configs import PREFIX, predefined_configs
from runner.render.platform_rules import PLACES
from runner.render.steps import Report, check_batches, check_traffic, read, share
from runner.schema import did_you_mean

DEFAULTS: dict[ComputePlatform, str] = {
    "Server": "CodeDeployDefault.OneAtATime",
    "Lambda": "CodeDeployDefault.LambdaAllAtOnce",
    "ECS": "CodeDeployDefault.ECSAllAtOnce",
}


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
        raise UserError(f"{name} is a configuration for {PLACES[other]}; this application runs on {PLACES[platform]}")
    if PREFIX + name in known:
        raise UserError(f"there is no rollout {name}; write the full name {PREFIX}{name}")
    raise UserError(f"there is no rollout {name}{did_you_mean(name, [*own, *known])}")


def custom(name: str, data: dict[str, Any], platform: ComputePlatform, report: Report) -> Rollout:
    """The rollout *name* of a manifest. *data* has passed the schema; what is still wrong with it is reported."""
    steps = tuple(map(read, data.get("steps", [])))
    if platform != "Server":
        check_traffic(steps, report)
        return Rollout(name=name, steps=steps)
    check_batches(steps, report)
    minimum, failed = data.get("minimum_healthy"), data.get("max_failed")
    if minimum is None and failed is None:
        failed = 0  # nothing bounds failures: then the first one ends it
    return Rollout(
        name=name,
        minimum_healthy=None if minimum is None else _minimum(share(minimum)),
        max_failed=None if failed is None else int(failed),
        steps=steps,
    )


def _minimum(share: Share) -> MinimumHealthyHosts:
    return MinimumHealthyHosts(type="FLEET_PERCENT" if share.percent else "HOST_COUNT", value=share.value)
