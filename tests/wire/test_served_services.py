"""A blue/green deployment to ECS from the outside: `penstock serve` as a process, boto3, and requests all the while."""

import json
from pathlib import Path
from typing import Any

from acceptance_cases import wait_until
from serving import AwsCli
from support.ecs_world import CLUSTER, CONTAINER, PORT, SERVICE, EcsWorld
from support.functions import role
from support.traffic import Load
from traffic_shapes import service_appspec, service_group
from wire.served import ServedAws

APPSPEC = f"""
version: 0.0
resources:
  - TargetService:
      type: AWS::ECS::Service
      properties:
        taskDefinition: <filled in by the command>
        loadBalancerInfo:
          containerName: {CONTAINER}
          containerPort: {PORT}
"""
PLACE = {"applicationName": "services", "deploymentGroupName": "web"}


def group(served: ServedAws, world: EcsWorld, **settings: Any) -> None:
    """For the world's service, with its listeners and target groups."""
    pair = {
        "targetGroups": [{"name": "blue"}, {"name": "green"}],
        "prodTrafficRoute": {"listenerArns": [world.listener]},
        "testTrafficRoute": {"listenerArns": [world.test_listener]},
    }
    given = service_group(
        ecsServices=[{"serviceName": SERVICE, "clusterName": CLUSTER}],
        loadBalancerInfo={"targetGroupPairInfoList": [pair]},
        **settings,
    )
    role(served.aws, "deploys")
    served.client.create_application(applicationName="services", computePlatform="ECS")
    served.client.create_deployment_group(**PLACE, **given)


def deploy(served: ServedAws, definition: str) -> str:
    revision = service_appspec(definition, CONTAINER, PORT)
    return str(served.client.create_deployment(**PLACE, revision=revision)["deploymentId"])


def sets(told: dict[str, Any]) -> list[tuple[str, str, str, float]]:
    """Label, status, target group and share of each task set."""
    return [
        (each["taskSetLabel"], each["status"], each["targetGroup"]["name"], each["trafficWeight"])
        for each in told["taskSetsInfo"]
    ]


def test_requests_go_on_while_the_service_is_replaced_by_hand_and_by_wait(served: ServedAws):
    world = EcsWorld(served.aws)
    world.serve(desired=2)
    green = world.task_definition(image="web:2")
    group(served, world, ready=60, termination=60)
    with Load(world.open(world.listener), parallel=4) as load:
        made = deploy(served, green)
        served.until_status(made, "Ready")
        told = served.target(made)
        assert (told["targetId"], told["status"]) == (f"{CLUSTER}:{SERVICE}", "Ready")
        assert sets(told) == [("Blue", "PRIMARY", "blue", 100.0), ("Green", "ACTIVE", "green", 0.0)]
        before = load.shares()
        served.client.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
        wait_until(lambda: served.get(made)["instanceTerminationWaitTimeStarted"], "the termination wait")
        told = served.target(made)
        assert told["status"] == "Succeeded"
        assert sets(told) == [("Blue", "ACTIVE", "blue", 0.0), ("Green", "PRIMARY", "green", 100.0)]
        load.wait_for(100)
        served.client.continue_deployment(deploymentId=made, deploymentWaitType="TERMINATION_WAIT")
        served.until_status(made, "Succeeded")
        load.wait_for(50)
    assert load.failures == []
    assert (before.keys(), load.shares(last=50).keys()) == ({"web:1"}, {"web:2"})
    world.until(lambda: [each["taskDefinition"] for each in world.task_sets()] == [green])


def test_a_stop_in_the_termination_wait_leaves_both_and_rolls_back_when_asked(served: ServedAws):
    world = EcsWorld(served.aws)
    world.serve(desired=1)
    blue = world.task_sets()[0]["taskDefinition"]
    group(served, world, termination=60)
    made = deploy(served, world.task_definition(image="web:2"))
    wait_until(lambda: served.get(made)["instanceTerminationWaitTimeStarted"], "the termination wait")
    served.client.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
    back = served.until_status(made, "Stopped")["rollbackInfo"]["rollbackDeploymentId"]
    served.until_status(back, "Succeeded")
    world.until(lambda: [(each["status"], each["taskDefinition"]) for each in world.task_sets()] == [("PRIMARY", blue)])
    with Load(world.open(world.listener), parallel=2) as load:
        load.wait_for(20)
    assert (load.shares().keys(), load.failures) == ({"web:1"}, [])


def test_the_aws_clis_own_command_deploys(served: ServedAws, tmp_path: Path):
    """`aws ecs deploy` registers the task definition, deploys an AppSpec that names it, and waits."""
    world = EcsWorld(served.aws)
    world.serve(desired=1)
    group(served, world)
    described = world.ecs.describe_task_definition(taskDefinition=world.task_definition(image="web:2"))[
        "taskDefinition"
    ]
    names = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "containerDefinitions")
    (tmp_path / "task.json").write_text(json.dumps({name: described[name] for name in names}))
    (tmp_path / "appspec.yaml").write_text(APPSPEC)
    cli = AwsCli(served.server, served.server.key("deployer"), served.aws.environ)
    told = cli(
        *("ecs", "deploy", "--service", SERVICE, "--cluster", CLUSTER),
        *("--task-definition", str(tmp_path / "task.json"), "--codedeploy-appspec", str(tmp_path / "appspec.yaml")),
        *("--codedeploy-application", "services", "--codedeploy-deployment-group", "web"),
    )
    assert "Successfully deployed" in told
    (primary,) = (each for each in world.task_sets() if each["status"] == "PRIMARY")
    assert primary["taskDefinition"].endswith("task-definition/web:3")
