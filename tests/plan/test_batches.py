"""Minimum healthy hosts, with every example and predefined configuration of the reference."""

import datetime as dt

import pytest

from runner import resources, yaml
from runner.errors import HealthConstraintsInvalid
from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, Share
from runner.model.target import InstanceHealth, RevisionHealth
from runner.plan.batches import Batch, Hold, compile_rollout, deployment_order, minimum_healthy


def rollout(kind: str, value: int) -> Rollout:
    return Rollout(name="r", minimum_healthy=MinimumHealthyHosts(type=kind, value=value))


def predefined(name: str) -> Rollout:
    table = yaml.read(resources.read("pipelines", "deployment-configs.yaml"), "deployment-configs.yaml").data
    rule = table["deployment_configurations"][f"CodeDeployDefault.{name}"]["minimum_healthy_hosts"]
    return Rollout(name=f"CodeDeployDefault.{name}", minimum_healthy=MinimumHealthyHosts(**rule))


@pytest.mark.parametrize(
    ("kind", "value", "total", "minimum", "window"),
    [
        ("HOST_COUNT", 6, 9, 6, 3),
        ("FLEET_PERCENT", 40, 9, 4, 5),
        ("FLEET_PERCENT", 50, 9, 5, 4),
        ("HOST_COUNT", 3, 10, 3, 7),
        ("FLEET_PERCENT", 85, 10, 9, 1),
        ("FLEET_PERCENT", 0, 10, 0, 10),
        ("HOST_COUNT", 0, 1, 0, 1),
        ("MOST_CONCURRENCY", 1, 10, 9, 1),
    ],
)
def test_the_examples_of_the_user_guide(kind, value, total, minimum, window):
    plan = compile_rollout(rollout(kind, value), total)
    assert (plan.minimum_healthy, plan.window) == (minimum, window)


@pytest.mark.parametrize(
    ("name", "windows"),
    [
        ("OneAtATime", {1: 1, 2: 1, 9: 1, 100: 1}),
        ("HalfAtATime", {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 9: 4, 10: 5}),
        ("AllAtOnce", {1: 1, 2: 2, 9: 9}),
    ],
)
def test_the_predefined_configurations(name, windows):
    assert {total: compile_rollout(predefined(name), total).window for total in windows} == windows


def test_half_at_a_time_rounds_the_hosts_in_service_up():
    assert minimum_healthy(MinimumHealthyHosts(type="FLEET_PERCENT", value=50), 9) == 5


@pytest.mark.parametrize(
    ("kind", "value", "total"), [("FLEET_PERCENT", 95, 10), ("HOST_COUNT", 4, 4), ("HOST_COUNT", 9, 4)]
)
def test_a_minimum_that_no_host_may_leave_is_refused(kind, value, total):
    with pytest.raises(HealthConstraintsInvalid, match=f"of {total} hosts healthy"):
        compile_rollout(rollout(kind, value), total)


def test_a_configuration_without_steps_is_one_sliding_batch():
    assert compile_rollout(predefined("HalfAtATime"), 9).steps == (Batch(size=9),)


def test_steps_are_compiled_for_the_number_of_hosts():
    careful = Rollout(
        name="careful",
        minimum_healthy=MinimumHealthyHosts(type="FLEET_PERCENT", value=50),
        max_failed=2,
        steps=(
            BatchStep(size=Share(value=1)),
            HoldStep(duration=dt.timedelta(minutes=5)),
            BatchStep(size=Share(value=25, percent=True), repeat=True),
        ),
    )
    plan = compile_rollout(careful, 10)
    five = Hold(duration=dt.timedelta(minutes=5))
    assert plan.steps == (
        Batch(size=1),
        five,
        Batch(size=2),
        Batch(size=2),
        Batch(size=2),
        Batch(size=2),
        Batch(size=1),
    )
    assert plan.max_failed == 2


def test_a_part_of_few_hosts_is_never_no_host():
    steps = (BatchStep(size=Share(value=10, percent=True), repeat=True),)
    assert compile_rollout(Rollout(name="r", max_failed=0, steps=steps), 3).steps == (Batch(size=1),) * 3


def test_a_plan_never_forgets_a_host():
    steps = (BatchStep(size=Share(value=1)),)
    assert sum(step.size for step in compile_rollout(Rollout(name="r", max_failed=0, steps=steps), 5).steps) == 5


def test_unhealthy_then_unknown_then_old_then_current_then_by_name():
    unknown, old, current = RevisionHealth.UNKNOWN, RevisionHealth.OLD, RevisionHealth.CURRENT
    hosts = [
        InstanceHealth(target="f", healthy=True, revision=current),
        InstanceHealth(target="e", healthy=True, revision=current),
        InstanceHealth(target="d", healthy=True, revision=old),
        InstanceHealth(target="c", healthy=True, revision=unknown),
        InstanceHealth(target="b", healthy=False, revision=current),
        InstanceHealth(target="a", healthy=False, revision=unknown),
    ]
    assert [host.target for host in deployment_order(hosts)] == ["a", "b", "c", "d", "e", "f"]
