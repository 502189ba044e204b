"""A blue/green deployment of an ECS service from its first act to its last, and what each act leaves."""

from collections import Counter

import msgspec
import pytest
from platforms.services.fake_cloud import FakeCloud
from platforms.services.fake_world import forward, group, listener, named_in, rule
from platforms.services.service_deployments import (
    BLUE,
    CANARY,
    GREEN,
    NETWORK,
    PRODUCTION,
    ROUTE,
    SPEC,
    TEST,
    Deployment,
    blue_green_world,
    definition,
)

from runner.model.program import Act
from runner.model.services import Route


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(blue_green_world())


def acts(cloud: FakeCloud) -> list[str]:
    return [operation for operation, _ in cloud.changes]


def weights(cloud: FakeCloud, entrance: str) -> dict[str, int]:
    return named_in(cloud.world.entrances()[entrance])


def fleet(cloud: FakeCloud):
    return cloud.world.fleets["prod", "api"]


def test_what_is_found_before_anything_is_done(cloud: FakeCloud) -> None:
    state = Deployment(cloud).inspect()
    assert state.original is not None
    assert (state.original.id, state.original.running, state.original.weight) == ("ecs-svc/1", 2, 100)
    assert state.original.target_group == BLUE
    assert state.pairs == ((BLUE, GREEN),)
    assert list(state.before) == [PRODUCTION, TEST]
    assert state.task_definition is not None and state.task_definition.endswith(":task-definition/api:2")
    assert cloud.changes == []


def test_the_replacement_takes_over_in_the_order_that_codedeploy_has(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    state = deployment.succeed()
    assert acts(cloud) == [
        "modify_listener",  # the replacement's group is named, with weight 0
        "create_task_set",
        "modify_listener",  # test traffic
        "modify_listener",  # 10%
        "modify_listener",  # 100%
        "update_service_primary_task_set",
        "delete_task_set",
    ]
    assert weights(cloud, PRODUCTION) == weights(cloud, TEST) == {BLUE: 0, GREEN: 100}
    assert state.moved and state.weight == 100
    assert state.replacement is not None and state.original is not None
    assert (state.replacement.status, state.replacement.weight, state.replacement.label) == ("PRIMARY", 100, "Green")
    assert (state.original.status, state.original.weight, state.original.running) == ("DRAINING", 0, 0)
    cloud.advance(60)
    assert [(each.status, each.definition[-5:]) for each in fleet(cloud).sets] == [("PRIMARY", "api:2")]


def test_the_next_deployment_takes_the_other_target_group(cloud: FakeCloud) -> None:
    Deployment(cloud).succeed()
    cloud.world.register("api", **definition("api:3"))
    cloud.advance(60)
    second = Deployment(cloud, id="d-SECOND123")
    assert second.inspect().pairs == ((GREEN, BLUE),)
    second.succeed()
    assert weights(cloud, PRODUCTION) == {GREEN: 0, BLUE: 100}


def test_weights_are_seen_in_the_state_and_in_the_listener(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.succeed(CANARY[:1])
    seen = []
    for weight in range(10, 101, 10):
        state = deployment.succeed([Act(event="AllowTraffic", weight=weight)])
        assert state.original is not None and state.replacement is not None
        assert weights(cloud, PRODUCTION) == {BLUE: 100 - weight, GREEN: weight}
        seen.append((state.weight, state.original.weight, state.replacement.weight, state.moved))
    assert seen[0] == (10, 90, 10, False)
    assert seen[-1] == (100, 0, 100, True)


def test_the_task_set_is_made_as_the_primary_one_is(cloud: FakeCloud) -> None:
    Deployment(cloud).succeed(CANARY[:1])
    [params] = [params for operation, params in cloud.changes if operation == "create_task_set"]
    assert params["networkConfiguration"] == NETWORK
    assert (params["launchType"], params["platformVersion"]) == ("FARGATE", "1.4.0")
    assert params["externalId"] == params["clientToken"] == "d-ABCDEF123"
    assert params["loadBalancers"] == [{"targetGroupArn": GREEN, "containerName": "api", "containerPort": 8080}]


def test_what_the_appspec_says_comes_before_what_the_service_has(cloud: FakeCloud) -> None:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-9"], "securityGroups": ["sg-9"]}}
    providers = ({"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0},)
    spec = msgspec.structs.replace(SPEC, network=network, capacity_providers=providers, platform_version="LATEST")
    Deployment(cloud, spec).succeed(CANARY[:1])
    [params] = [params for operation, params in cloud.changes if operation == "create_task_set"]
    assert params["networkConfiguration"] == network
    assert params["capacityProviderStrategy"] == list(providers)
    assert "launchType" not in params
    assert params["platformVersion"] == "LATEST"


def test_a_platform_version_is_not_asked_for_on_instances(cloud: FakeCloud) -> None:
    fleet(cloud).sets[0].asked = {"launchType": "EC2", "platformVersion": "LATEST"}
    Deployment(cloud).succeed(CANARY[:1])
    [params] = [params for operation, params in cloud.changes if operation == "create_task_set"]
    assert params["launchType"] == "EC2" and "platformVersion" not in params


def test_a_task_definition_is_registered_once_and_tagged(cloud: FakeCloud) -> None:
    document = {"family": "api", **definition("api@sha256:0")}
    document["tags"] = [{"key": "team", "value": "shop"}]
    deployment = Deployment(cloud, msgspec.structs.replace(SPEC, task_definition=None, document=document))
    deployment.succeed(CANARY[:1])
    first = deployment.state
    assert first is not None and first.task_definition is not None and first.task_definition.endswith("api:3")
    deployment.succeed(CANARY[:1])
    assert acts(cloud).count("register_task_definition") == 1
    assert {"key": "penstock:deployment", "value": "d-ABCDEF123"} in cloud.world.definitions["api"][2]["tags"]
    assert {"key": "team", "value": "shop"} in cloud.world.definitions["api"][2]["tags"]


def test_a_family_without_a_revision_is_pinned_when_the_deployment_begins(cloud: FakeCloud) -> None:
    deployment = Deployment(cloud)
    deployment.inspect()
    cloud.world.register("api", **definition("api:3"))  # somebody registers another one meanwhile
    deployment.succeed()
    assert fleet(cloud).sets[-1].definition.endswith("api:2")


def test_a_listener_stands_for_its_rules_that_lead_to_the_service(cloud: FakeCloud) -> None:
    ours, foreign = rule("api", 80, 1), rule("api", 80, 2)
    cloud.world.listeners[PRODUCTION] = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    cloud.world.rules = {ours: forward((BLUE, 1)), foreign: forward((group("other"), 1))}
    deployment = Deployment(cloud)
    assert list(deployment.inspect().before) == [ours, TEST]
    deployment.succeed()
    assert weights(cloud, ours) == {BLUE: 0, GREEN: 100}
    assert cloud.world.rules[foreign] == forward((group("other"), 1))
    assert cloud.world.listeners[PRODUCTION][0]["Type"] == "fixed-response"


def test_a_route_may_name_a_rule_and_then_only_that_one_moves(cloud: FakeCloud) -> None:
    ours = rule("api", 80, 1)
    cloud.world.rules = {ours: forward((BLUE, 1))}
    cloud.world.listeners = dict.fromkeys((PRODUCTION, TEST), forward((group("other"), 1)))
    route = Route(listener=ours, target_groups=("api-blue", "api-green"))
    Deployment(cloud, msgspec.structs.replace(SPEC, routes=(route,))).succeed(CANARY[:4])
    assert weights(cloud, ours) == {BLUE: 0, GREEN: 100}
    assert weights(cloud, PRODUCTION) == {group("other"): 1}


def test_two_routes_move_together(cloud: FakeCloud) -> None:
    world = cloud.world
    inside = listener("inside", 80)
    for name in ("in-blue", "in-green"):
        world.groups[group(name)] = {"TargetGroupArn": group(name), "TargetGroupName": name, "TargetType": "ip"}
    world.listeners[inside] = forward((group("in-blue"), 1))
    fleet(cloud).sets[0].groups.append(group("in-blue"))
    routes = (ROUTE, Route(listener=inside, target_groups=(group("in-green"), group("in-blue"))))
    deployment = Deployment(cloud, msgspec.structs.replace(SPEC, routes=routes))
    cloud.advance(10)
    deployment.succeed(CANARY[:3])
    assert weights(cloud, PRODUCTION) == {BLUE: 90, GREEN: 10}
    assert weights(cloud, inside) == {group("in-blue"): 90, group("in-green"): 10}
    assert fleet(cloud).sets[1].groups == [GREEN, group("in-green")]
    deployment.succeed(CANARY[3:])


def test_other_groups_of_the_listener_and_stickiness_are_kept(cloud: FakeCloud) -> None:
    sticky = {"TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}
    cloud.world.listeners[PRODUCTION] = forward((BLUE, 3), (group("other"), 1), **sticky)
    Deployment(cloud).succeed(CANARY[:3])
    found = weights(cloud, PRODUCTION)
    assert found[group("other")] * 3 == found[BLUE] + found[GREEN]
    assert found[GREEN] * 9 == found[BLUE]
    config = cloud.world.listeners[PRODUCTION][0]["ForwardConfig"]
    assert config["TargetGroupStickinessConfig"] == sticky["TargetGroupStickinessConfig"]


def test_a_login_before_the_forward_is_kept_with_its_secret(cloud: FakeCloud) -> None:
    login = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://id.example.com",
            "AuthorizationEndpoint": "https://id.example.com/a",
            "TokenEndpoint": "https://id.example.com/t",
            "UserInfoEndpoint": "https://id.example.com/u",
            "ClientId": "api",
        },
    }
    cloud.world.listeners[PRODUCTION] = [login, {**forward((BLUE, 1))[0], "Order": 2}]
    Deployment(cloud).succeed(CANARY[:3])
    for _, params in [change for change in cloud.changes if change[1].get("ListenerArn") == PRODUCTION]:
        sent = params["DefaultActions"][0]["AuthenticateOidcConfig"]
        assert sent["UseExistingClientSecret"] is True and sent["ClientId"] == "api"
    assert cloud.world.listeners[PRODUCTION][0] == login


def test_without_a_test_listener_nothing_is_done_for_test_traffic(cloud: FakeCloud) -> None:
    route = msgspec.structs.replace(ROUTE, test_listener=None)
    del cloud.world.listeners[TEST]
    deployment = Deployment(cloud, msgspec.structs.replace(SPEC, routes=(route,)))
    deployment.succeed(CANARY[:1])
    before = len(cloud.calls)
    deployment.succeed(CANARY[1:2])
    assert len(cloud.calls) == before


def test_the_replacement_may_start_small_and_grow(cloud: FakeCloud) -> None:
    fleet(cloud).desired = 8
    cloud.advance(20)
    deployment = Deployment(cloud)
    state = deployment.succeed([Act(event="Install", scale=25)])
    assert state.replacement is not None and state.replacement.running == 2
    state = deployment.succeed([Act(event="Scale", scale=100)])
    assert state.replacement is not None and state.replacement.running == 8
    deployment.succeed([Act(event="Scale", scale=100)])
    assert acts(cloud).count("update_task_set") == 1


def test_a_network_load_balancer_moves_all_at_once(cloud: FakeCloud) -> None:
    entrance = listener("net", 80, "net")
    cloud.world.listeners = {entrance: [{"Type": "forward", "TargetGroupArn": BLUE, "Order": 1}]}
    route = Route(listener=entrance, target_groups=("api-blue", "api-green"))
    deployment = Deployment(cloud, msgspec.structs.replace(SPEC, routes=(route,)))
    deployment.succeed(CANARY[:2])
    assert weights(cloud, entrance) == {BLUE: 1}
    refused = deployment.act(CANARY[2])
    assert not refused.succeeded and refused.code == "ELASTIC_LOAD_BALANCING_INVALID"
    assert "ECSAllAtOnce" in refused.diagnostics.message
    assert weights(cloud, entrance) == {BLUE: 1}
    deployment.succeed(CANARY[3:])
    assert weights(cloud, entrance) == {GREEN: 1}


def test_a_service_without_tasks_can_be_deployed_to(cloud: FakeCloud) -> None:
    fleet(cloud).desired = 0
    cloud.advance(30)
    Deployment(cloud).succeed()


def test_no_more_calls_are_made_than_the_work_needs(cloud: FakeCloud) -> None:
    """All at once and without waiting: tasks that run and are healthy at once are looked at once."""
    deployment = Deployment(cloud)
    deployment.inspect()
    found = Counter(operation for operation, _ in cloud.calls)
    assert found == {
        "describe_services": 1,
        "describe_task_definition": 1,
        "describe_target_groups": 1,
        "describe_listeners": 1,
        "describe_rules": 2,  # one for each listener
    }
    deployment.succeed(CANARY[:3])
    cloud.calls.clear()
    deployment.succeed([Act(event="AllowTraffic", weight=20)])
    assert [operation for operation, _ in cloud.calls] == [
        "describe_target_health",
        "describe_listeners",
        "modify_listener",
    ]
