"""Steps of rollouts for functions and services: what passes validation can be compiled, and moves all traffic."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.functions import LambdaSpec, LambdaState
from runner.model.manifest import GroupSettings
from runner.model.program import Act, Program, TargetSpec, TargetState
from runner.model.rollout import Rollout, ScaleStep
from runner.model.services import EcsSpec, EcsState
from runner.plan.programs import compile_program
from runner.render.platform_rules import check as check_platform
from runner.render.steps import check_traffic, read

TARGETS: dict[str, tuple[TargetSpec, TargetState]] = {
    "Lambda": (
        LambdaSpec(function="f", alias="a", current_version="1", target_version="2"),
        LambdaState(function="f", alias="a", current_version="1"),
    ),
    "ECS": (
        EcsSpec(cluster="c", service="s", task_definition="t", container="w", port=80),
        EcsState(cluster="c", service="s", controller="EXTERNAL"),
    ),
}

PERCENT = st.sampled_from(["1%", "10%", "50%", "99%", "100%"])
STEP = st.one_of(
    st.fixed_dictionaries({"shift": PERCENT}),
    st.fixed_dictionaries({"shift": st.fixed_dictionaries({"by": PERCENT, "every": st.just("2m")})}),
    st.fixed_dictionaries({"scale": PERCENT}),
    st.just({"hold": "5m"}),
    st.just({"hold": {"for": "5m", "checks": ["errors"]}}),
    st.just({"check": ["errors"]}),
    st.just({"retire": {"after": "1h"}}),
)


def complaints(platform: str, steps: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    check_platform(
        {"platform": platform, "rollouts": {"mine": {"steps": steps}}}, lambda path, message: found.append(message)
    )
    needed = [message for message in found if " is for " in message]
    check_traffic(tuple(map(read, steps)), lambda path, message: needed.append(message))
    return needed


def program_of(platform: str, steps: list[dict[str, Any]]) -> Program:
    spec, state = TARGETS[platform]
    rollout = Rollout(name="mine", steps=tuple(map(read, steps)))
    return compile_program(GroupSettings(name="g", rollout=rollout), spec, state, restoring=False)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["Lambda", "ECS"]), st.lists(STEP, max_size=7))
def test_what_passes_moves_all_traffic_by_shifts_that_rise_to_tasks_that_all_run(
    platform: str, steps: list[dict[str, Any]]
) -> None:
    if complaints(platform, steps):
        return
    program = program_of(platform, steps)
    acts = [step for step in program.steps if isinstance(step, Act)]
    weights = [act.weight for act in acts if act.event == "AllowTraffic" and act.weight is not None]
    assert weights == sorted(set(weights))
    assert weights[-1] == 100
    if platform == "Lambda":
        assert not any(act.event in ("Install", "Scale", "Terminate") for act in acts)
        return
    sizes = [act.scale for act in acts if act.event in ("Install", "Scale") and act.scale is not None]
    assert sizes == sorted(set(sizes))
    assert len(sizes) == max(1, sum(isinstance(read(step), ScaleStep) for step in steps))
    whole = next(index for index, act in enumerate(acts) if act.scale == 100)
    assert whole < next(index for index, act in enumerate(acts) if act.weight == 100)
    assert [act.event for act in acts].index("Terminate") == len(acts) - 1


@given(st.lists(STEP, max_size=7))
def test_a_rollout_that_does_not_end_with_all_traffic_never_passes(steps: list[dict[str, Any]]) -> None:
    if not any(step.get("shift") == "100%" or isinstance(step.get("shift"), dict) for step in steps):
        assert complaints("ECS", steps)
