"""Services that a deployment cannot work on: found before anything is done, with CodeDeploy's code and what to do."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from platforms.services.fake_cloud import FakeCloud
from platforms.services.fake_world import forward, group, listener
from platforms.services.service_deployments import (
    BLUE,
    CANARY,
    GREEN,
    PRODUCTION,
    ROUTE,
    SPEC,
    TEST,
    Deployment,
    blue_green_world,
    definition,
)

from runner.errors import RunnerError
from runner.model.services import Route

Change = Callable[[FakeCloud], None]


def refused(cloud: FakeCloud, code: str, words: str, **spec: Any) -> None:
    with pytest.raises(RunnerError, match=words) as caught:
        Deployment(cloud, msgspec.structs.replace(SPEC, **spec)).inspect()
    assert caught.value.code == code
    assert cloud.changes == []


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(blue_green_world())


def routes(**changes: Any) -> dict[str, Any]:
    return {"routes": (msgspec.structs.replace(ROUTE, **changes),)}


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"cluster": "prud"}, "INVALID_ECS_SERVICE", "no ECS service api in cluster prud"),
        ({"service": "app"}, "INVALID_ECS_SERVICE", "no ECS service app in cluster prod"),
        ({"task_definition": "nope"}, "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", "no active task definition nope"),
        ({"task_definition": "api:9"}, "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", "api:9"),
        ({"container": "web"}, "INVALID_ECS_SERVICE", "no container web; it has api"),
        ({"port": 80}, "INVALID_ECS_SERVICE", "does not map port 80; it maps 8080"),
        ({"routes": ()}, "MISSING_ELB_INFORMATION", "needs a listener and two target groups"),
        (routes(target_groups=("api-blue", "gone")), "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", "gone"),
        (routes(target_groups=("api-blue",)), "ELASTIC_LOAD_BALANCING_INVALID", "two different target groups"),
        (routes(target_groups=("other", "api-green")), "INVALID_ECS_SERVICE", "is in 0 of them"),
        (routes(listener=listener("api", 81)), "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", "there is no listener"),
        (routes(listener=None), "MISSING_ELB_INFORMATION", "no production listener"),
        (routes(listener=listener("shop", 80)), "ELASTIC_LOAD_BALANCING_INVALID", "not behind the load balancer"),
        (routes(test_listener="classic"), "ELASTIC_LOAD_BALANCING_INVALID", "no listener or rule of"),
    ],
)
def test_what_the_revision_or_the_group_names_must_be_there(
    cloud: FakeCloud, spec: dict[str, Any], code: str, words: str
) -> None:
    refused(cloud, code, words, **spec)


@pytest.mark.parametrize("entrance", [PRODUCTION, TEST])
def test_a_listener_must_forward_to_the_primary_task_set(cloud: FakeCloud, entrance: str) -> None:
    cloud.world.listeners[entrance] = forward((group("other"), 1))
    refused(cloud, "INVALID_ECS_SERVICE", "Primary taskset target group must be behind listener")


def test_what_a_stopped_deployment_has_left_half_way_must_be_put_right_first(cloud: FakeCloud) -> None:
    cloud.world.listeners[PRODUCTION] = forward((BLUE, 90), (GREEN, 10))
    refused(cloud, "ELASTIC_LOAD_BALANCING_INVALID", "api-blue 90, api-green 10.*stopped half-way")


def test_whoever_else_uses_the_target_groups_must_be_named(cloud: FakeCloud) -> None:
    third = listener("api", 8080)
    cloud.world.listeners[third] = forward((BLUE, 1), (group("other"), 1))
    refused(cloud, "ELASTIC_LOAD_BALANCING_INVALID", f"{third} sends requests to api-blue too")
    cloud.world.listeners[third] = forward((GREEN, 1))
    refused(cloud, "ELASTIC_LOAD_BALANCING_INVALID", f"{third} sends requests to api-green too")


def test_a_service_needs_a_primary_task_set(cloud: FakeCloud) -> None:
    cloud.world.fleets["prod", "api"].sets.clear()
    refused(cloud, "INVALID_ECS_SERVICE", "aws ecs create-task-set")


def test_a_target_group_of_instances_is_not_for_tasks_with_an_address_of_their_own(cloud: FakeCloud) -> None:
    cloud.world.groups[GREEN]["TargetType"] = "instance"
    refused(cloud, "ELASTIC_LOAD_BALANCING_INVALID", "type instance; tasks with network mode awsvpc need ip")


def test_the_document_of_a_manifest_is_checked_before_it_is_registered(cloud: FakeCloud) -> None:
    document = {"family": "api", **definition(port=9090)}
    refused(
        cloud, "INVALID_ECS_SERVICE", "of family api does not map port 8080", task_definition=None, document=document
    )


def test_a_code_deploy_service_is_refused_by_aws_and_the_message_says_what_to_do() -> None:
    cloud = FakeCloud(blue_green_world("CODE_DEPLOY"))
    outcome = Deployment(cloud).run(CANARY)
    assert not outcome.succeeded
    assert outcome.code == "INVALID_ECS_SERVICE"
    assert "type=EXTERNAL" in outcome.diagnostics.message


def test_a_foreign_task_set_in_the_replacements_place_is_not_touched(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:1])
    cloud.world.fleets["prod", "api"].sets[1].external = "by hand"
    outcome = Deployment(cloud, id="d-SECOND123").run(CANARY)
    assert outcome.code == "INVALID_ECS_SERVICE"
    assert "aws ecs delete-task-set" in outcome.diagnostics.message
    assert len(cloud.world.fleets["prod", "api"].sets) == 2


def test_what_a_failed_deployment_left_without_traffic_is_cleared_away(cloud: FakeCloud) -> None:
    Deployment(cloud).succeed(CANARY[:1])
    second = Deployment(cloud, id="d-SECOND123")
    second.succeed(CANARY)
    assert any("d-ABCDEF123 has left behind" in line for line in second.said)
    cloud.advance(60)
    assert [each.external for each in cloud.world.fleets["prod", "api"].sets] == ["d-SECOND123"]


def test_an_act_that_belongs_to_another_platform_fails(cloud: FakeCloud) -> None:
    from runner.model.program import Act

    outcome = Deployment(cloud).act(Act(event="Publish"))
    assert not outcome.succeeded and outcome.code == "INTERNAL_ERROR"


def test_a_route_without_target_groups_of_its_own_is_refused(cloud: FakeCloud) -> None:
    refused(cloud, "ELASTIC_LOAD_BALANCING_INVALID", "two different", routes=(Route(listener=PRODUCTION),))
