"""Undoing a blue/green deployment from wherever it was stopped; and who may not be overwritten."""

from copy import deepcopy

import pytest
from platforms.services.fake_cloud import FakeCloud
from platforms.services.fake_world import forward, group, named_in
from platforms.services.service_deployments import (
    BLUE,
    CANARY,
    GREEN,
    PRODUCTION,
    ROLLBACK,
    TEST,
    Deployment,
    blue_green_world,
)

from runner.errors import Refused
from runner.model.program import Act


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(blue_green_world())


def fleet(cloud: FakeCloud):
    return cloud.world.fleets["prod", "api"]


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_after_any_act_everything_can_go_back_to_what_it_was(cloud: FakeCloud, done: int) -> None:
    before = deepcopy(cloud.world.entrances())
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:done])
    rollback = deployment.undo()
    state = rollback.succeed(ROLLBACK)
    cloud.advance(60)
    assert cloud.world.entrances() == before
    assert [(each.id, each.status) for each in fleet(cloud).sets] == [("ecs-svc/1", "PRIMARY")]
    assert (state.weight, state.moved) == (0, False)
    assert state.original is not None and state.replacement is not None
    assert (state.original.status, state.original.weight) == ("PRIMARY", 100)
    assert (state.replacement.status, state.replacement.weight) == ("DRAINING", 0)


def test_a_deployment_that_made_nothing_is_undone_by_doing_nothing(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.inspect()
    deployment.undo().succeed(ROLLBACK)
    assert cloud.changes == []


def test_a_task_set_that_nobody_could_report_any_more_is_found_and_deleted(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    begun = deployment.inspect()
    deployment.succeed(CANARY[:1])
    deployment.state = begun  # the process died, and the deployment was stopped before it could tell
    deployment.undo().succeed(ROLLBACK)
    cloud.advance(60)
    assert [each.id for each in fleet(cloud).sets] == ["ecs-svc/1"]


def test_a_rollback_is_safe_to_repeat_whole(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:4])
    deployment.undo().succeed(ROLLBACK)
    changes = len(cloud.changes)
    cloud.advance(60)
    deployment.undo().succeed(ROLLBACK)
    assert len(cloud.changes) == changes


def test_an_original_that_was_scaled_down_grows_before_it_gets_traffic_back(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:4])
    fleet(cloud).sets[0].scale = 0.0
    cloud.advance(30)
    healthy = []

    def watch(operation: str, params: dict[str, object]) -> None:
        if operation == "modify_listener":
            healthy.append(cloud.world.health(BLUE).count("healthy"))

    cloud.on_call = watch
    deployment.undo().succeed(ROLLBACK)
    assert healthy == [2, 2]


def test_without_its_original_a_deployment_cannot_be_undone(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY)
    with pytest.raises(Refused, match="ecs-svc/1 of service api is gone") as caught:
        deployment.undo().inspect()
    assert caught.value.code == "INVALID_ECS_SERVICE"


FOREIGN = forward((BLUE, 50), (group("other"), 50))


@pytest.mark.parametrize(
    ("done", "entrance"), [(0, PRODUCTION), (1, PRODUCTION), (1, TEST), (2, PRODUCTION), (3, PRODUCTION)]
)
def test_a_listener_that_somebody_else_has_changed_is_not_touched(cloud: FakeCloud, done: int, entrance: str) -> None:
    deployment = Deployment(cloud)
    deployment.inspect()
    deployment.succeed(CANARY[:done])
    cloud.world.listeners[entrance] = deepcopy(FOREIGN)
    outcome = deployment.run(CANARY[done:])
    assert not outcome.succeeded
    assert outcome.code == "ELASTIC_LOAD_BALANCING_INVALID"
    assert "somebody else has changed" in outcome.diagnostics.message
    assert "api-blue 50, other 50" in outcome.diagnostics.message
    assert cloud.world.listeners[entrance] == FOREIGN
    with pytest.raises(Refused, match="somebody else has changed"):
        deployment.undo().inspect()


def test_somebody_elses_weights_are_not_overwritten(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:3])
    theirs = forward((BLUE, 60), (GREEN, 40))
    cloud.world.listeners[PRODUCTION] = deepcopy(theirs)
    outcome = deployment.run(CANARY[3:])
    assert not outcome.succeeded
    assert cloud.world.listeners[PRODUCTION] == theirs


def test_traffic_that_somebody_has_taken_back_by_hand_is_no_obstacle_to_a_rollback(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:3])
    cloud.world.listeners[PRODUCTION] = forward((BLUE, 100), (GREEN, 0))
    deployment.undo().succeed(ROLLBACK)
    assert named_in(cloud.world.listeners[PRODUCTION]) == {BLUE: 1}


def test_a_listener_that_is_gone_is_named(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:3])
    del cloud.world.listeners[PRODUCTION]
    outcome = deployment.run(CANARY[3:])
    assert outcome.code == "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
    assert PRODUCTION in outcome.diagnostics.message


def test_a_primary_task_set_that_somebody_else_chose_stays(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:3])
    third = "ecs-svc/99"
    theirs = deepcopy(fleet(cloud).sets[0])
    theirs.id, theirs.status = third, "PRIMARY"
    fleet(cloud).sets[0].status = "ACTIVE"
    fleet(cloud).sets.append(theirs)
    outcome = deployment.run(CANARY[3:4])
    assert outcome.code == "ECS_UPDATE_ERROR"
    assert "somebody else has made ecs-svc/99 the primary" in outcome.diagnostics.message


def test_a_deployment_begins_only_on_the_primary_task_set_that_was_found(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.inspect()
    fleet(cloud).sets[0].id = "ecs-svc/77"
    outcome = deployment.run(CANARY[:1])
    assert "somebody else deploys to it" in outcome.diagnostics.message
    assert [operation for operation, _ in cloud.changes] == ["modify_listener"]


def test_a_task_set_that_somebody_deletes_ends_the_deployment(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:1])
    fleet(cloud).sets[1].draining = cloud.world.now
    outcome = deployment.act(Act(event="Scale", scale=50))
    assert outcome.code == "ECS_UPDATE_ERROR"
    assert "was deleted by somebody else" in outcome.diagnostics.message


def test_the_original_is_not_deleted_while_any_listener_sends_requests_to_it(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:4])
    other = PRODUCTION.replace("0000000000000050", "0000000000000099")
    cloud.world.listeners[other] = forward((BLUE, 1))
    outcome = deployment.act(CANARY[4])
    assert outcome.code == "ELASTIC_LOAD_BALANCING_INVALID"
    assert f"{other} still sends requests to it" in outcome.diagnostics.message
    assert fleet(cloud).sets[0].draining is None


def test_the_original_is_not_deleted_while_it_is_the_primary_one(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:4])
    fleet(cloud).sets[0].status, fleet(cloud).sets[1].status = "PRIMARY", "ACTIVE"
    outcome = deployment.act(CANARY[4])
    assert outcome.code == "ECS_UPDATE_ERROR"
    assert fleet(cloud).sets[0].draining is None
