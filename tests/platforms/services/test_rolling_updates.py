"""Services that ECS drives itself: rolling updates, and its own blue/green; asked for once, watched to their end."""

import datetime as dt

import pytest
from platforms.services.fake_cloud import FakeCloud
from platforms.services.service_deployments import ROLLING, Deployment, definition, rolling_world

from runner.model.program import Act

STRATEGIES = ["ROLLING", "BLUE_GREEN"]


def cloud_of(strategy: str = "ROLLING", *, breaker: bool = True, broken: bool = False) -> FakeCloud:
    world = rolling_world(strategy, breaker)
    if broken:
        world.register("api", **definition("broken"))
    return FakeCloud(world)


def served(cloud: FakeCloud) -> str:
    """`api:2`: the task definition of the primary deployment."""
    cloud.advance(60)
    [primary] = [each for each in cloud.world.fleets["prod", "api"].sets if each.status == "PRIMARY"]
    return primary.definition.rpartition("/")[2]


def updates(cloud: FakeCloud) -> list[str]:
    return [operation for operation, _ in cloud.changes]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_tasks_are_replaced(strategy: str) -> None:
    cloud = cloud_of(strategy)
    deployment = Deployment(cloud)
    found = deployment.inspect()
    assert found.controller == "ECS" and found.original is not None and found.original.weight == 100
    state = deployment.succeed(ROLLING)
    assert updates(cloud) == ["update_service"]
    assert served(cloud) == "api:2"
    assert state.moved and state.replacement is not None
    assert (state.replacement.label, state.replacement.running) == ("Green", 2)
    assert any(line.startswith("waiting: ") for line in deployment.said)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_update_that_is_done_is_not_asked_for_again(strategy: str) -> None:
    cloud = cloud_of(strategy)
    deployment = Deployment(cloud)
    begun = deployment.inspect()
    deployment.succeed(ROLLING)
    deployment.state = begun
    deployment.succeed(ROLLING)
    assert updates(cloud) == ["update_service"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_task_definition_once_more_replaces_the_tasks_too(strategy: str) -> None:
    cloud = cloud_of(strategy)
    Deployment(cloud).succeed(ROLLING)
    cloud.advance(60)
    before = {each.id for each in cloud.world.fleets["prod", "api"].sets}
    Deployment(cloud, id="d-SECOND123").succeed(ROLLING)
    assert cloud.changes[-1][1]["forceNewDeployment"] is True
    assert served(cloud) == "api:2"
    assert before.isdisjoint(each.id for each in cloud.world.fleets["prod", "api"].sets)


def test_the_circuit_breakers_way_back_is_waited_for_and_told() -> None:
    cloud = cloud_of(broken=True)
    deployment = Deployment(cloud)
    outcome = deployment.run(ROLLING)
    assert not outcome.succeeded and outcome.code == "ECS_UPDATE_ERROR"
    said = outcome.diagnostics.message
    assert "ECS has gone back to" in said and "api:1" in said
    assert "circuit breaker: tasks failed to start" in said
    assert "no DATABASE_URL, exit code 1" in said
    assert any("ECS goes back to" in line for line in deployment.said)
    assert served(cloud) == "api:1"


def test_a_circuit_breaker_without_rollback_fails_the_update() -> None:
    cloud = cloud_of(broken=True)
    cloud.world.fleets["prod", "api"].rolls_back = False
    outcome = Deployment(cloud).run(ROLLING)
    assert "the update has failed: ECS deployment circuit breaker" in outcome.diagnostics.message
    assert served(cloud) == "api:3"


def test_without_a_circuit_breaker_tasks_that_keep_stopping_end_it() -> None:
    cloud = cloud_of(breaker=False, broken=True)
    began = cloud.world.now
    outcome = Deployment(cloud).run(ROLLING)
    assert "new tasks keep stopping" in outcome.diagnostics.message
    assert cloud.world.now - began < 60


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("broken", [False, True])
def test_a_rollback_brings_the_former_task_definition_back(strategy: str, broken: bool) -> None:
    cloud = cloud_of(strategy, breaker=False, broken=broken)
    deployment = Deployment(cloud)
    deployment.run(ROLLING)
    state = deployment.undo().succeed(ROLLING)
    assert (state.weight, state.moved) == (0, False)
    assert served(cloud) == "api:1"


def test_a_rollback_after_ecs_has_gone_back_itself_changes_nothing() -> None:
    cloud = cloud_of(broken=True)
    deployment = Deployment(cloud)
    deployment.run(ROLLING)
    deployment.undo().succeed(ROLLING)
    assert updates(cloud) == ["update_service"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rollback_in_the_middle_stops_what_ecs_does(strategy: str) -> None:
    cloud = cloud_of(strategy)
    deployment = Deployment(cloud, limit=dt.timedelta(seconds=0))
    assert deployment.run(ROLLING).code == "TIMEOUT"
    undo = deployment.undo()
    undo.limit = dt.timedelta(minutes=60)
    undo.succeed(ROLLING)
    assert updates(cloud)[1] == {"ROLLING": "update_service", "BLUE_GREEN": "stop_service_deployment"}[strategy]
    assert served(cloud) == "api:1"


def test_ecs_own_blue_green_that_fails_tells_why() -> None:
    cloud = cloud_of("BLUE_GREEN", breaker=False, broken=True)
    outcome = Deployment(cloud).run(ROLLING)
    assert outcome.code == "ECS_UPDATE_ERROR"
    assert "ended ROLLBACK_SUCCESSFUL: Service deployment rolled back: tasks failed." in outcome.diagnostics.message


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_somebody_else_deploys_meanwhile_is_left_alone(strategy: str) -> None:
    cloud = cloud_of(strategy)
    deployment = Deployment(cloud)
    deployment.inspect()
    fleet = cloud.world.fleets["prod", "api"]
    theirs = cloud.world.register("api", **definition("theirs"))
    cloud.call(deployment.job.place, "ecs", "update_service", {
        "cluster": "prod", "service": "api", "taskDefinition": theirs
    })  # fmt: skip
    outcome = deployment.run(ROLLING)
    assert outcome.code == "ECS_UPDATE_ERROR" and "somebody else" in outcome.diagnostics.message
    assert updates(cloud) == ["update_service"]
    assert fleet.sets[-1].definition == theirs


def test_a_service_of_ecs_has_no_traffic_that_could_be_moved() -> None:
    outcome = Deployment(cloud_of()).act(Act(event="AllowTraffic", weight=10))
    assert not outcome.succeeded and outcome.code == "INTERNAL_ERROR"


def test_the_services_own_waits_lengthen_the_limit() -> None:
    from runner.platforms.services.launches import minutes_of

    assert minutes_of({}) == 0
    assert minutes_of({"bakeTimeInMinutes": 30, "canaryConfiguration": {"canaryBakeTimeInMinutes": 10}}) == 40
    assert minutes_of({"linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 5}}) == 20
    hooks = [{"lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 7}}]
    assert minutes_of({"lifecycleHooks": hooks}) == 14
    assert minutes_of({"lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP"]}]}) == 1440
