"""Deployments of ECS services through boto3 to corrected moto, whose tasks are real processes, under real requests."""

import asyncio
from pathlib import Path

import pytest
from platforms.services.service_deployments import CANARY, ROLLBACK, ROLLING
from platforms.services.services_on_moto import MotoDeployment
from support.cloud import Cloud
from support.ecs_world import CLUSTER, CONTAINER, PORT, SERVICE, EcsWorld
from support.traffic import Load
from waiting import until

from runner.model.program import Act


@pytest.fixture
def world(aws: Cloud) -> EcsWorld:
    return EcsWorld(aws)


def images(world: EcsWorld) -> list[str]:
    """Of the task sets, or of the primary deployment, that are there."""
    return [each["taskDefinition"].rpartition("/")[2] for each in world.task_sets()]


def weights(world: EcsWorld, listener: str) -> dict[str, int]:
    [shown] = world.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"]
    forwards = shown["DefaultActions"][0]
    groups = forwards.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": forwards["TargetGroupArn"]}]
    return {each["TargetGroupArn"].split("/")[1]: each.get("Weight", 1) for each in groups}


def test_a_canary_and_the_end_of_the_original_lose_no_request(world: EcsWorld) -> None:
    world.serve(desired=2)
    deployment = MotoDeployment(world, world.task_definition("web:2"))
    with Load(world.open(world.listener), parallel=4) as load:
        load.wait_for(20)
        deployment.succeed(CANARY[:2])
        load.wait_for(20)
        assert load.share("web:2", last=20) == 0
        deployment.succeed([Act(event="AllowTraffic", weight=20)])
        load.wait_for(20)
        load.wait_for(100)
        assert load.share("web:2", last=100) == pytest.approx(0.2, abs=0.05)
        deployment.succeed(CANARY[3:4])
        load.wait_for(20)
        load.wait_for(40)
        assert load.share("web:2", last=40) == 1
        deployment.succeed(CANARY[4:])
        load.wait_for(40)
    assert load.failures == []
    world.until(lambda: images(world) == ["web:2"])
    assert weights(world, world.listener) == weights(world, world.test_listener) == {"blue": 0, "green": 100}


def test_a_rollback_under_load_loses_no_request(world: EcsWorld) -> None:
    world.serve(desired=2)
    deployment = MotoDeployment(world, world.task_definition("web:2"))
    with Load(world.open(world.listener), parallel=4) as load:
        deployment.succeed(CANARY[:4])
        load.wait_for(40)
        deployment.undo().succeed(ROLLBACK)
        load.wait_for(20)
        load.wait_for(40)
        assert load.share("web:1", last=40) == 1
    assert load.failures == []
    world.until(lambda: images(world) == ["web:1"])
    assert weights(world, world.listener) == weights(world, world.test_listener) == {"blue": 1}


def test_the_next_deployment_goes_the_other_way(world: EcsWorld) -> None:
    world.serve(desired=1)
    MotoDeployment(world, world.task_definition("web:2")).succeed(CANARY)
    second = MotoDeployment(world, world.task_definition("web:3"), "d-SECOND123")
    second.succeed(CANARY)
    world.until(lambda: images(world) == ["web:3"])
    assert weights(world, world.listener) == {"green": 0, "blue": 100}


def test_a_document_is_registered_and_runs(world: EcsWorld) -> None:
    world.serve(desired=1)
    container = {"name": CONTAINER, "image": "web@sha256:0", "portMappings": [{"containerPort": PORT}]}
    document = {"family": "web", "networkMode": "awsvpc", "containerDefinitions": [container]}
    document |= {"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
    deployment = MotoDeployment(world, None, document=document)
    state = deployment.succeed(CANARY[:1])
    assert state.task_definition is not None and state.task_definition.endswith("/web:2")


def test_tasks_that_exit_end_the_deployment_with_their_reason(world: EcsWorld) -> None:
    world.serve(desired=2)
    world.aws.ask("run_image", image="broken:1", command=["/bin/false"])
    deployment = MotoDeployment(world, world.task_definition("broken:1"))
    outcome = deployment.act(CANARY[0])
    assert not outcome.succeeded and outcome.code == "ECS_UPDATE_ERROR"
    assert "keep stopping" in outcome.diagnostics.message
    assert "exit code 1" in outcome.diagnostics.message
    deployment.undo().succeed(ROLLBACK)
    world.until(lambda: images(world) == ["web:1"])


def test_a_missing_permission_is_named_with_what_grants_it(world: EcsWorld) -> None:
    world.serve(desired=1)
    deployment = MotoDeployment(world, world.task_definition("web:2"))
    world.aws.deny("elbv2", "ModifyListener")
    outcome = deployment.act(CANARY[0])
    assert outcome.code == "IAM_ROLE_PERMISSIONS"
    assert "elasticloadbalancing:ModifyListener" in outcome.diagnostics.message
    assert '"Effect": "Allow"' in outcome.diagnostics.message


def test_a_code_deploy_service_works_where_aws_lets_it(world: EcsWorld) -> None:
    world.serve("CODE_DEPLOY", desired=1)
    deployment = MotoDeployment(world, world.task_definition("web:2"))
    refused = deployment.act(CANARY[0])
    assert refused.code == "INVALID_ECS_SERVICE" and "type=EXTERNAL" in refused.diagnostics.message
    world.aws.ask("accept_code_deploy", accepted=True)
    deployment.succeed(CANARY)
    world.until(lambda: images(world) == ["web:2"])


def test_a_rolling_update_and_its_way_back_under_load(world: EcsWorld) -> None:
    world.serve("ECS", desired=2)
    deployment = MotoDeployment(world, world.task_definition("web:2"))
    with Load(world.open(world.listener), parallel=4) as load:
        deployment.succeed(ROLLING)
        load.wait_for(20)
        load.wait_for(20)
        assert load.share("web:2", last=20) == 1
        deployment.undo().succeed(ROLLING)
        load.wait_for(20)
        load.wait_for(20)
        assert load.share("web:1", last=20) == 1
    assert load.failures == []


def test_a_rolling_update_that_ecs_takes_back_fails(world: EcsWorld) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    world.serve("ECS", desired=2, deploymentConfiguration=breaker)
    world.aws.ask("run_image", image="broken:1", command=["/bin/false"])
    deployment = MotoDeployment(world, world.task_definition("broken:1"))
    outcome = deployment.act(ROLLING[0])
    assert not outcome.succeeded and outcome.code == "ECS_UPDATE_ERROR"
    assert "ECS has gone back to" in outcome.diagnostics.message
    deployment.undo().succeed(ROLLING)
    assert world.service()["taskDefinition"].endswith("/web:1")


@pytest.fixture
def own(world: EcsWorld) -> EcsWorld:
    """A service whose strategy is BLUE_GREEN, by ECS itself; it serves from blue."""
    [balancer] = world.balanced(world.blue)
    advanced = {
        "alternateTargetGroupArn": world.green,
        "productionListenerRule": default_rule(world, world.listener),
        "testListenerRule": default_rule(world, world.test_listener),
        "roleArn": "arn:aws:iam::111122223333:role/ecs",
    }
    strategy = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}
    world.serve(
        "ECS",
        desired=1,
        deploymentConfiguration=strategy,
        loadBalancers=[{**balancer, "advancedConfiguration": advanced}],
    )
    return world


def default_rule(world: EcsWorld, listener: str) -> str:
    rules = world.elbv2.describe_rules(ListenerArn=listener)["Rules"]
    return str(next(each["RuleArn"] for each in rules if each["IsDefault"]))


def test_ecs_own_blue_green_and_its_way_back_under_load(own: EcsWorld) -> None:
    deployment = MotoDeployment(own, own.task_definition("web:2"))
    with Load(own.open(own.listener), parallel=4) as load:
        deployment.succeed(ROLLING)
        load.wait_for(20)
        load.wait_for(20)
        assert load.share("web:2", last=20) == 1
        deployment.undo().succeed(ROLLING)
        load.wait_for(20)
        load.wait_for(20)
        assert load.share("web:1", last=20) == 1
    assert load.failures == []
    assert any("PRODUCTION_TRAFFIC_SHIFT" in line or "SCALE_UP" in line for line in deployment.said)


def test_ecs_own_blue_green_is_rolled_back_by_ecs_while_it_bakes(own: EcsWorld) -> None:
    longer = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1440}
    own.ecs.update_service(cluster=CLUSTER, service=SERVICE, deploymentConfiguration=longer)
    own.until(own.is_steady)
    deployment = MotoDeployment(own, own.task_definition("web:2"))
    task = deployment.task(ROLLING[0])

    async def begin() -> None:
        act = asyncio.create_task(deployment.platform().act(task, deployment.said.append))
        await until(lambda: any("BAKE_TIME" in line for line in deployment.said), within=60)
        act.cancel()
        with pytest.raises(asyncio.CancelledError):
            await act

    asyncio.run(begin())
    assert deployment.state is not None
    own.aws.forget()
    deployment.undo().succeed(ROLLING)
    assert [call.operation for call in own.aws.calls(mutating=True)] == ["StopServiceDeployment"]
    assert own.service()["taskDefinition"].endswith("/web:1")


def sweep(world: EcsWorld, number: int, folder: Path) -> MotoDeployment:
    """A deployment with its whole rollback, each act in a process that dies at its so-manieth change, where it has one."""
    deployment = MotoDeployment(world, world.task_definition("web:2"))
    for act in CANARY[:4]:
        deployment.act_in_a_process(act, folder, number)
    rollback = deployment.undo()
    for act in ROLLBACK:
        rollback.act_in_a_process(act, folder, number)
    rollback.deaths += deployment.deaths
    return rollback


@pytest.mark.parametrize(("number", "deaths"), [(1, 6), (2, 3), (3, 1)])
def test_killed_at_each_change_it_ends_as_if_nothing_had_been(
    world: EcsWorld, number: int, deaths: int, tmp_path: Path
) -> None:
    world.serve(desired=1)
    world.aws.forget()
    ended = sweep(world, number, tmp_path)
    assert ended.deaths == deaths
    world.until(lambda: images(world) == ["web:1"])
    assert weights(world, world.listener) == weights(world, world.test_listener) == {"blue": 1}
    done = [call.operation for call in world.aws.calls(mutating=True) if call.carried_out]
    assert done == [
        "ModifyListener",
        "CreateTaskSet",
        "ModifyListener",
        "ModifyListener",
        "ModifyListener",
        "UpdateServicePrimaryTaskSet",
        "ModifyListener",
        "ModifyListener",
        "UpdateServicePrimaryTaskSet",
        "DeleteTaskSet",
    ]
