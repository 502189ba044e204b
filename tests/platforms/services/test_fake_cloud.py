"""The fake AWS is held to what corrected moto does: every test runs against both."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from platforms.services import fake_world
from platforms.services.fake_cloud import FakeCloud
from platforms.services.service_deployments import BLUE, GREEN, PRODUCTION, blue_green_world, rolling_world
from support.cloud import Cloud
from support.ecs_world import CLUSTER, SERVICE, EcsWorld

from runner.aws import Aws, AwsError
from runner.model.aws import AwsPlace

PLACE = AwsPlace(region="eu-west-1")


class Side:
    """Either AWS, with service `service` of cluster `cluster` behind `listener`, which forwards to `blue`."""

    cluster: str
    service: str
    container: str
    blue: str
    green: str
    listener: str
    aws: Any

    def __call__(self, api: str, operation: str, /, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.aws.call(PLACE, api, operation, params)
        return answer

    def refused(self, api: str, operation: str, /, **params: Any) -> str:
        with pytest.raises(AwsError) as caught:
            self(api, operation, **params)
        return caught.value.aws_code

    def pause(self) -> None: ...

    def begin(self, controller: str, **more: Any) -> None: ...

    def definition(self, image: str) -> str: ...

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(600):
            if condition():
                return
            self.pause()
        raise AssertionError("waited in vain")

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self("ecs", "describe_services", cluster=self.cluster, services=[self.service])
        [service] = found["services"]
        return service

    def task_set(self, task_set: str) -> dict[str, Any] | None:
        return next((each for each in self.shown()["taskSets"] if each["id"] == task_set), None)

    def primary(self) -> dict[str, Any]:
        [found] = [each for each in self.shown()["deployments"] if each["status"] == "PRIMARY"]
        return found

    def create(self, definition: str, token: str = "d-1") -> dict[str, Any]:
        balancer = {"targetGroupArn": self.green, "containerName": self.container, "containerPort": 8080}
        found: dict[str, Any] = self(
            "ecs",
            "create_task_set",
            cluster=self.cluster,
            service=self.service,
            taskDefinition=definition,
            externalId=token,
            clientToken=token,
            launchType="FARGATE",
            networkConfiguration=self.network,
            loadBalancers=[balancer],
            scale={"value": 100.0, "unit": "PERCENT"},
        )["taskSet"]
        return found

    def name_green(self) -> None:
        groups = [{"TargetGroupArn": self.blue, "Weight": 100}, {"TargetGroupArn": self.green, "Weight": 0}]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        self("elbv2", "modify_listener", ListenerArn=self.listener, DefaultActions=[action])

    def health(self) -> list[str]:
        shown = self("elbv2", "describe_target_health", TargetGroupArn=self.green)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in shown]


class Fake(Side):
    cluster, service, container, blue, green, listener = "prod", "api", "api", BLUE, GREEN, PRODUCTION
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}

    def begin(self, controller: str, strategy: str = "ROLLING", breaker: bool = False) -> None:
        rolling = controller == "ECS"
        world = rolling_world(strategy, breaker) if rolling else blue_green_world(controller)
        self.aws = FakeCloud(world)

    def definition(self, image: str) -> str:
        container = {"name": "api", "image": image, "portMappings": [{"containerPort": 8080}]}
        world: fake_world.World = self.aws.world
        return world.register("api", networkMode="awsvpc", containerDefinitions=[container])

    def pause(self) -> None:
        self.aws.advance(1)


class Moto(Side):
    cluster, service, container = CLUSTER, SERVICE, "web"

    def __init__(self, cloud: Cloud) -> None:
        self.world = EcsWorld(cloud)
        self.blue, self.green, self.listener = self.world.blue, self.world.green, self.world.listener
        self.network = self.world.network
        self.aws = Aws()
        cloud.ask("run_image", image="broken:1", command=["/bin/false"])

    def begin(self, controller: str, strategy: str = "ROLLING", breaker: bool = False) -> None:
        own: dict[str, Any] = {"deploymentCircuitBreaker": {"enable": breaker, "rollback": breaker}}
        if strategy == "BLUE_GREEN":
            own |= {"strategy": strategy, "bakeTimeInMinutes": 0}
        more = {"deploymentConfiguration": own, "loadBalancers": []} if controller == "ECS" else {}
        if controller == "ECS":
            self.world.create("ECS", **more)
            self.world.until(self.world.is_steady)
        else:
            self.world.serve(controller)

    def definition(self, image: str) -> str:
        return self.world.task_definition(image)

    def pause(self) -> None:
        time.sleep(0.02)


@pytest.fixture(params=["fake", "moto"])
def side(request: pytest.FixtureRequest) -> Side:
    return Fake() if request.param == "fake" else Moto(request.getfixturevalue("aws"))


def test_a_task_set_is_made_once_for_a_token_and_gets_steady(side: Side) -> None:
    side.begin("EXTERNAL")
    definition = side.definition("api:2")
    made = side.create(definition)
    assert side.create(definition)["id"] == made["id"]
    assert made["status"] == "ACTIVE" and made["externalId"] == "d-1"
    side.until(lambda: (side.task_set(made["id"]) or {})["stabilityStatus"] == "STEADY_STATE")
    shown = side.task_set(made["id"])
    assert shown is not None
    assert (shown["computedDesiredCount"], shown["runningCount"], shown["pendingCount"]) == (2, 2, 0)
    assert shown["scale"] == {"value": 100.0, "unit": "PERCENT"}
    assert [each["targetGroupArn"] for each in shown["loadBalancers"]] == [side.green]


def test_targets_are_looked_at_once_a_listener_names_their_group_even_with_weight_0(side: Side) -> None:
    side.begin("EXTERNAL")
    side.create(side.definition("api:2"))
    side.until(lambda: side.health() == ["unused", "unused"])
    side.name_green()
    side.until(lambda: side.health() == ["healthy", "healthy"])


def test_a_primary_task_set_cannot_be_deleted_and_another_one_drains_and_goes(side: Side) -> None:
    side.begin("EXTERNAL")
    made = side.create(side.definition("api:2"))
    where = {"cluster": side.cluster, "service": side.service}
    assert side.refused("ecs", "delete_task_set", **where, taskSet=made["id"]) == "InvalidParameterException"
    side("ecs", "update_service_primary_task_set", **where, primaryTaskSet=made["id"])
    assert [each["status"] for each in side.shown()["taskSets"]].count("PRIMARY") == 1
    assert side.shown()["taskDefinition"] == made["taskDefinition"]
    assert side.refused("ecs", "delete_task_set", **where, taskSet=made["id"]) == "InvalidParameterException"
    [old] = [each["id"] for each in side.shown()["taskSets"] if each["id"] != made["id"]]
    side.until(lambda: (side.task_set(made["id"]) or {})["runningCount"] == 2)
    side("ecs", "delete_task_set", **where, taskSet=old, force=True)
    assert (side.task_set(old) or {})["status"] == "DRAINING"
    side.until(lambda: side.task_set(old) is None)
    assert side.refused("ecs", "delete_task_set", **where, taskSet=old, force=True) == "TaskSetNotFoundException"


def test_task_sets_can_be_scaled(side: Side) -> None:
    side.begin("EXTERNAL")
    made = side.create(side.definition("api:2"))
    scale = {"value": 50.0, "unit": "PERCENT"}
    side("ecs", "update_task_set", cluster=side.cluster, service=side.service, taskSet=made["id"], scale=scale)
    side.until(lambda: (side.task_set(made["id"]) or {})["runningCount"] == 1)
    assert (side.task_set(made["id"]) or {})["computedDesiredCount"] == 1


def test_what_is_not_there_is_refused_by_name(side: Side) -> None:
    side.begin("EXTERNAL")
    gone = side.listener[:-4] + "beef"
    assert side.refused("elbv2", "describe_listeners", ListenerArns=[gone]) == "ListenerNotFound"
    rule = gone.replace(":listener/", ":listener-rule/") + "/0123456789abcdef"
    assert side.refused("elbv2", "describe_rules", RuleArns=[rule]) == "RuleNotFound"
    assert side.refused("elbv2", "describe_target_groups", Names=["gone"]) == "TargetGroupNotFound"
    assert side.refused("ecs", "describe_services", cluster="gone", services=["x"]) == "ClusterNotFoundException"
    assert side.refused("ecs", "describe_task_definition", taskDefinition="gone") == "ClientException"
    assert side("ecs", "describe_services", cluster=side.cluster, services=["gone"])["services"] == []


def test_a_target_group_that_is_not_there_cannot_be_forwarded_to(side: Side) -> None:
    side.begin("EXTERNAL")
    action = {"Type": "forward", "TargetGroupArn": side.green.replace("green", "brown")}
    code = side.refused("elbv2", "modify_listener", ListenerArn=side.listener, DefaultActions=[action])
    assert code == "TargetGroupNotFound"


def test_task_sets_under_code_deploy_are_for_codedeploy(side: Side) -> None:
    side.begin("CODE_DEPLOY")
    assert [each["status"] for each in side.shown()["taskSets"]] == ["PRIMARY"]
    with pytest.raises(AwsError, match=r"(?i)task set.*(external|CODE_DEPLOY)") as caught:
        side.create(side.definition("api:2"))
    assert caught.value.aws_code == "InvalidParameterException"


def test_tasks_that_exit_stop_with_a_reason(side: Side) -> None:
    side.begin("EXTERNAL")
    made = side.create(side.definition("broken:1"))
    where = {"cluster": side.cluster, "serviceName": side.service, "desiredStatus": "STOPPED"}
    side.until(lambda: len(side("ecs", "list_tasks", **where)["taskArns"]) >= 3)
    arns = side("ecs", "list_tasks", **where)["taskArns"]
    for task in side("ecs", "describe_tasks", cluster=side.cluster, tasks=arns)["tasks"]:
        assert task["startedBy"] == made["id"]
        assert task["stopCode"] == "EssentialContainerExited"
        assert task["containers"][0]["exitCode"] == 1


def update(side: Side, definition: str, **more: Any) -> None:
    params = {"cluster": side.cluster, "service": side.service, "taskDefinition": definition, **more}
    side("ecs", "update_service", **params)


def test_ecs_replaces_tasks_in_a_new_deployment_only_when_something_changes_or_it_must(side: Side) -> None:
    side.begin("ECS")
    first, second = side.primary(), side.definition("api:2")
    update(side, second)
    made = side.primary()
    assert made["id"] != first["id"] and made["taskDefinition"] == second
    side.until(lambda: side.primary()["rolloutState"] == "COMPLETED")
    assert len(side.shown()["deployments"]) == 1
    update(side, second)
    assert side.primary()["id"] == made["id"]
    update(side, second, forceNewDeployment=True)
    assert side.primary()["id"] != made["id"]


def test_the_circuit_breaker_goes_back_in_a_new_primary_deployment(side: Side) -> None:
    side.begin("ECS", breaker=True)
    first = side.primary()
    update(side, side.definition("broken:1"))
    broken = side.primary()
    side.until(lambda: side.primary()["id"] != broken["id"])
    assert side.primary()["taskDefinition"] == first["taskDefinition"]
    side.until(lambda: side.primary()["rolloutState"] == "COMPLETED")


def test_ecs_own_blue_green_shows_as_a_service_deployment(side: Side) -> None:
    side.begin("ECS", strategy="BLUE_GREEN")
    where = {"cluster": side.cluster, "service": side.service}
    listed = side("ecs", "list_service_deployments", **where)["serviceDeployments"]
    before = {each["serviceDeploymentArn"] for each in listed}
    second = side.definition("api:2")
    update(side, second)

    def new() -> list[dict[str, Any]]:
        listed = side("ecs", "list_service_deployments", **where)["serviceDeployments"]
        return [each for each in listed if each["serviceDeploymentArn"] not in before]

    side.until(lambda: bool(new()))
    arn = new()[0]["serviceDeploymentArn"]

    def described() -> dict[str, Any]:
        [found] = side("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])["serviceDeployments"]
        return dict(found)

    revision = described()["targetServiceRevision"]["arn"]
    [found] = side("ecs", "describe_service_revisions", serviceRevisionArns=[revision])["serviceRevisions"]
    assert found["taskDefinition"] == second
    side.until(lambda: described()["status"] == "SUCCESSFUL")
