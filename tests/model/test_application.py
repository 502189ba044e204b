"""Deployment configurations as rollouts: the predefined ones, and those that are made through the wire API."""

import datetime as dt
from typing import Any

import pytest

from runner.errors import UserError
from runner.model.application import DeploymentConfig
from runner.model.platform import ComputePlatform
from runner.model.rollout import HoldStep, RolloutStep, ShiftStep
from runner.render.rollouts import DEFAULTS, find_predefined, predefined

MINUTE = dt.timedelta(minutes=1)


def steps_of(traffic: dict[str, Any] | None, platform: ComputePlatform = "Lambda") -> tuple[RolloutStep, ...]:
    return DeploymentConfig(id="1", name="mine", platform=platform, traffic=traffic).rollout.steps


def test_all_at_once_is_one_shift() -> None:
    assert steps_of({"type": "AllAtOnce"}) == (ShiftStep(percent=100),)


def test_a_canary_is_two_shifts_with_a_hold_between() -> None:
    canary = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 25, "canaryInterval": 45}}
    assert steps_of(canary) == (ShiftStep(percent=25), HoldStep(duration=45 * MINUTE), ShiftStep(percent=100))


def test_linear_is_one_shift_again_and_again() -> None:
    linear = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 15, "linearInterval": 3}}
    assert steps_of(linear, "ECS") == (ShiftStep(percent=15, every=3 * MINUTE),)


def test_a_configuration_for_servers_has_no_steps() -> None:
    assert steps_of(None, "Server") == ()


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        (
            "LambdaCanary10Percent30Minutes",
            (ShiftStep(percent=10), HoldStep(duration=30 * MINUTE), ShiftStep(percent=100)),
        ),
        ("LambdaLinear10PercentEvery1Minute", (ShiftStep(percent=10, every=MINUTE),)),
        ("LambdaAllAtOnce", (ShiftStep(percent=100),)),
        ("ECSCanary10Percent5Minutes", (ShiftStep(percent=10), HoldStep(duration=5 * MINUTE), ShiftStep(percent=100))),
        ("ECSLinear10PercentEvery3Minutes", (ShiftStep(percent=10, every=3 * MINUTE),)),
        ("ECSAllAtOnce", (ShiftStep(percent=100),)),
    ],
)
def test_predefined_configurations_have_their_steps(name: str, steps: tuple[RolloutStep, ...]) -> None:
    platform: ComputePlatform = "Lambda" if name.startswith("Lambda") else "ECS"
    found = find_predefined(f"CodeDeployDefault.{name}", [], platform)
    assert (found.name, found.steps) == (f"CodeDeployDefault.{name}", steps)


def test_every_platform_has_its_configurations_and_one_of_them_by_default() -> None:
    assert {platform: len(predefined(platform)) for platform in DEFAULTS} == {"Server": 3, "Lambda": 9, "ECS": 5}
    assert all(DEFAULTS[platform] in predefined(platform) for platform in DEFAULTS)


def test_the_configuration_of_another_platform_is_not_found() -> None:
    with pytest.raises(UserError, match="is a configuration for servers; this application runs on ECS services"):
        find_predefined("CodeDeployDefault.AllAtOnce", [], "ECS")
