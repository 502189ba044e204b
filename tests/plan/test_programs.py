"""From rollouts to programs."""

import datetime as dt

import msgspec
import pytest

from runner.errors import Refused
from runner.model.functions import LambdaSpec, LambdaState
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.program import Act, Program, Step, TargetState, Wait
from runner.model.revision import S3Revision
from runner.model.rollout import CheckStep, HoldStep, RetireStep, Rollout, RolloutStep, ScaleStep, ShiftStep
from runner.model.services import EcsSpec, EcsState, Route
from runner.plan.programs import compile_program

MINUTE = dt.timedelta(minutes=1)
FUNCTION = LambdaSpec(function="resize", alias="live", current_version="1", target_version="2")
ALIAS = LambdaState(function="resize", alias="live", current_version="1", target_version="2")
SERVICE = EcsSpec(cluster="blue", service="api", task_definition="api:2", container="api", port=80)
TASKS = EcsState(cluster="blue", service="api", controller="EXTERNAL")
CANARY = (ShiftStep(percent=10), HoldStep(duration=5 * MINUTE), ShiftStep(percent=100))


def program(
    *steps: RolloutStep,
    state: TargetState = ALIAS,
    spec: LambdaSpec | EcsSpec = FUNCTION,
    restoring: bool = False,
    **of_group: object,
) -> Program:
    settings = GroupSettings(name="live", rollout=Rollout(name="careful", steps=steps), **of_group)  # type: ignore[arg-type]
    return compile_program(settings, spec, state, restoring=restoring)


def tasks(*steps: RolloutStep, restoring: bool = False, **of_group: object) -> Program:
    return program(*steps, state=TASKS, spec=SERVICE, restoring=restoring, **of_group)


def said(steps: tuple[Step, ...]) -> list[str]:
    words = []
    for step in steps:
        if isinstance(step, Wait):
            words.append(f"{step.kind} {step.duration}")
        else:
            size = step.weight if step.weight is not None else step.scale
            words.append(step.event if size is None else f"{step.event} {size}")
    return words


def test_a_canary_is_ten_percent_then_all_of_it_five_minutes_later() -> None:
    assert said(program(*CANARY).steps) == [
        "BeforeAllowTraffic",
        "AllowTraffic 10",
        "hold 0:05:00",
        "AllowTraffic 100",
        "AfterAllowTraffic",
    ]


def test_linear_traffic_takes_as_many_shifts_as_it_needs_and_the_last_takes_the_rest() -> None:
    ten = program(ShiftStep(percent=10, every=MINUTE))
    assert [step.weight for step in ten.steps if isinstance(step, Act) and step.weight] == list(range(10, 101, 10))
    assert ten.waits == 9 * MINUTE
    thirty = program(ShiftStep(percent=30, every=MINUTE))
    assert [step.weight for step in thirty.steps if isinstance(step, Act) and step.weight] == [30, 60, 90, 100]


def test_a_rollout_without_a_shift_moves_all_traffic_at_once() -> None:
    assert said(program().steps) == ["BeforeAllowTraffic", "AllowTraffic 100", "AfterAllowTraffic"]


def test_steps_may_shift_hold_check_and_then_shift_on_by_a_share() -> None:
    steps = (
        CheckStep(checks=("contract",)),
        ShiftStep(percent=5),
        HoldStep(duration=10 * MINUTE, checks=("errors",)),
        ShiftStep(percent=50, every=2 * MINUTE, checks=("errors",)),
        HoldStep(duration=MINUTE),
    )
    made = program(*steps)
    assert said(made.steps) == [
        "Check",
        "BeforeAllowTraffic",
        "AllowTraffic 5",
        "hold 0:10:00",
        "AllowTraffic 55",
        "hold 0:02:00",
        "AllowTraffic 100",
        "AfterAllowTraffic",
        "hold 0:01:00",
    ]
    assert made.serving == 8
    between = made.steps[5]
    assert isinstance(between, Wait) and between.checks == ("errors",)


def test_code_of_a_manifest_is_published_before_anything_else() -> None:
    code = S3Revision(bucket="functions", key="resize.zip", bundle_type="zip", version="v1", etag="e")
    made = program(spec=LambdaSpec(function="resize", alias="live", code=code))
    assert made.events == ("Publish", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")


def test_tasks_are_replaced_in_the_order_of_codedeploys_events() -> None:
    made = tasks(*CANARY, blue_green=BlueGreen(ready_wait=5 * MINUTE, termination_wait=60 * MINUTE))
    assert said(made.steps) == [
        "BeforeInstall",
        "Install 100",
        "AfterInstall",
        "AllowTestTraffic",
        "AfterAllowTestTraffic",
        "ready 0:05:00",
        "BeforeAllowTraffic",
        "AllowTraffic 10",
        "hold 0:05:00",
        "AllowTraffic 100",
        "AfterAllowTraffic",
        "termination 1:00:00",
        "Terminate",
    ]
    assert said(made.steps[made.serving :]) == ["termination 1:00:00", "Terminate"]
    ready = made.steps[5]
    assert isinstance(ready, Wait) and ready.expires == "stop"


def test_a_manifest_scales_up_in_parts_and_retires_when_it_says() -> None:
    steps = (
        ScaleStep(percent=20),
        CheckStep(checks=("contract",)),
        ScaleStep(percent=100),
        ShiftStep(percent=100),
        RetireStep(after=30 * MINUTE, checks=("errors",)),
    )
    made = tasks(*steps)
    assert said(made.steps)[1] == "Install 20"
    assert said(made.steps)[5:8] == ["Check", "Scale 100", "BeforeAllowTraffic"]
    assert said(made.steps[made.serving :]) == ["termination 0:30:00", "Terminate"]
    wait = made.steps[made.serving]
    assert isinstance(wait, Wait) and wait.checks == ("errors",)


def test_the_original_can_be_kept() -> None:
    assert "Terminate" not in tasks(blue_green=BlueGreen(termination_wait=None)).events


def test_a_rollback_of_tasks_moves_traffic_back_and_ends_the_replacement() -> None:
    assert said(tasks(*CANARY, restoring=True).steps) == ["AllowTraffic 100", "Terminate"]


def test_a_rollback_of_an_alias_is_one_move() -> None:
    assert said(program(*CANARY, restoring=True).steps) == ["AllowTraffic 100"]


def test_a_service_that_ecs_itself_updates_has_no_traffic_to_move() -> None:
    rolling = EcsState(cluster="blue", service="api", controller="ECS")
    made = program(ShiftStep(percent=100), CheckStep(checks=("smoke",)), state=rolling, spec=SERVICE)
    assert made.events == ("BeforeInstall", "Install", "AfterInstall", "Check")
    with pytest.raises(Refused, match="deployment controller is EXTERNAL") as refused:
        program(*CANARY, state=rolling, spec=SERVICE)
    assert refused.value.code == "INVALID_ECS_SERVICE"
    with pytest.raises(Refused, match="careful scales the replacement in steps, but ECS itself"):
        program(ScaleStep(percent=50), ShiftStep(percent=100), state=rolling, spec=SERVICE)
    with pytest.raises(Refused, match="live wait for somebody to continue before traffic moves, but ECS itself"):
        program(state=rolling, spec=SERVICE, blue_green=BlueGreen(ready_wait=MINUTE))


def behind(kind: str) -> EcsSpec:
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/{kind}/front/1/2"
    return msgspec.structs.replace(SERVICE, routes=(Route(listener=arn, target_groups=("a", "b")),))


def test_a_network_load_balancer_moves_no_traffic_in_steps() -> None:
    linear = (ShiftStep(percent=10, every=MINUTE),)
    for steps in (CANARY, linear):
        with pytest.raises(Refused, match="network load balancer, where traffic moves all at once") as refused:
            program(*steps, state=TASKS, spec=behind("net"))
        assert refused.value.code == "ELASTIC_LOAD_BALANCING_INVALID"
        assert program(*steps, state=TASKS, spec=behind("app")).steps
    assert "AllowTraffic 100" in said(program(ShiftStep(percent=100), state=TASKS, spec=behind("net")).steps)
    assert said(program(*CANARY, state=TASKS, spec=behind("net"), restoring=True).steps)[0] == "AllowTraffic 100"
