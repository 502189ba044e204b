"""The cloud's ECS with task sets: tasks run, take requests, are drained, and calls are refused as AWS refuses them."""

import pytest
from botocore.exceptions import ClientError
from support.ecs_world import CLUSTER, SERVICE, EcsWorld

OURS = {"cluster": CLUSTER, "service": SERVICE}


@pytest.fixture
def world(aws):
    return EcsWorld(aws)


def refusal(call, *given, **asked):
    with pytest.raises(ClientError) as caught:
        call(*given, **asked)
    return caught.value.response["Error"]["Code"]


def message(call, *given, **asked):
    with pytest.raises(ClientError) as caught:
        call(*given, **asked)
    return caught.value.response["Error"]["Message"]


def counts(told):
    return tuple(told[name] for name in ("computedDesiredCount", "runningCount", "pendingCount"))


def task_set(world, found):
    return next(each for each in world.task_sets() if each["id"] == found["id"])


def tasks(world, status="RUNNING"):
    arns = world.ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE, desiredStatus=status)["taskArns"]
    return world.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []


def events(world):
    return "\n".join(each["message"] for each in world.service()["events"])


def test_a_code_deploy_service_has_a_primary_task_set_that_serves(world):
    made = world.create("CODE_DEPLOY", desired=2)
    (first,) = made["taskSets"]
    assert (first["status"], first["stabilityStatus"]) == ("PRIMARY", "STABILIZING")
    assert first["loadBalancers"] == world.balanced(world.blue)
    world.until(world.is_steady)
    (now,) = world.task_sets()
    assert counts(now) == (2, 2, 0)
    told = world.service()
    assert (told["runningCount"], told["pendingCount"], told["deployments"]) == (2, 0, [])
    assert world.states(world.blue) == ["healthy", "healthy"]


def test_tasks_are_told_of_as_they_are(world):
    world.serve("EXTERNAL", desired=2)
    found = tasks(world)
    assert len(found) == 2
    for task in found:
        assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
        assert task["group"] == f"service:{SERVICE}" and task["startedBy"] == world.task_sets()[0]["id"]
        (container,) = task["containers"]
        assert (container["name"], container["image"], container["lastStatus"]) == ("web", "web:1", "RUNNING")
    addresses = {task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in found}
    told = world.elbv2.describe_target_health(TargetGroupArn=world.blue)["TargetHealthDescriptions"]
    assert {(each["Target"]["Id"], each["Target"]["Port"]) for each in told} == {(each, 8080) for each in addresses}


def test_a_task_set_stabilizes_and_is_scaled_in_percent_rounded_up(world):
    world.serve("EXTERNAL", desired=3)
    made = world.task_set(world.task_definition(image="web:2"), world.green, scale=34, externalId="d-1")
    assert made["stabilityStatus"] == "STABILIZING" and made["externalId"] == "d-1" and made["status"] == "ACTIVE"
    world.until(lambda: task_set(world, made)["stabilityStatus"] == "STEADY_STATE")
    assert counts(task_set(world, made)) == (2, 2, 0)
    scale = {"value": 100, "unit": "PERCENT"}
    world.ecs.update_task_set(**OURS, taskSet=made["id"], scale=scale)
    assert task_set(world, made)["stabilityStatus"] == "STABILIZING"
    world.until(lambda: counts(task_set(world, made)) == (3, 3, 0))
    world.ecs.update_task_set(**OURS, taskSet=made["taskSetArn"], scale={"value": 0, "unit": "PERCENT"})
    world.until(lambda: counts(task_set(world, made)) == (0, 0, 0))
    world.ecs.update_service(**OURS, desiredCount=1)
    world.until(lambda: world.service()["runningCount"] == 1)


def test_a_task_set_is_steady_only_when_its_targets_are_healthy(world, aws):
    """The group must be in use; where no load balancer asks, nobody says that a task is ill."""
    aws.ask("run_image", image="deaf", command=["sleep", "600"])
    world.serve("EXTERNAL", desired=1)
    world.shift(100, 0)
    deaf = world.task_set(world.task_definition(image="deaf:1"), world.green)
    world.until(lambda: "is unhealthy in (target-group" in events(world))
    assert task_set(world, deaf)["stabilityStatus"] == "STABILIZING"
    world.until(lambda: any("failed ELB health checks" in each["stoppedReason"] for each in tasks(world, "STOPPED")))


def test_the_same_client_token_makes_one_task_set(world):
    world.serve("EXTERNAL")
    definition = world.task_definition(image="web:2")
    made = [world.task_set(definition, world.green, clientToken="d-ABC-1") for _ in range(2)]
    assert made[0]["id"] == made[1]["id"] and len(world.task_sets()) == 2
    other = world.task_definition(image="web:3")
    assert refusal(world.task_set, other, world.green, clientToken="d-ABC-1") == "InvalidParameterException"
    assert refusal(world.task_set, definition, world.green, clientToken="x" * 37) == "InvalidParameterException"


def test_a_deleted_task_set_drains_and_is_gone(world):
    world.serve("EXTERNAL")
    new = world.task_set(world.task_definition(image="web:2"), world.green)
    (old,) = [each for each in world.task_sets() if each["id"] != new["id"]]
    assert "primary" in message(world.ecs.delete_task_set, **OURS, taskSet=old["id"])
    world.ecs.update_service_primary_task_set(**OURS, primaryTaskSet=new["id"])
    assert {each["id"]: each["status"] for each in world.task_sets()} == {old["id"]: "ACTIVE", new["id"]: "PRIMARY"}
    assert world.service()["taskDefinition"] == new["taskDefinition"]
    assert world.service()["loadBalancers"] == world.balanced(world.green)
    assert "scaled down to zero" in message(world.ecs.delete_task_set, **OURS, taskSet=old["id"])

    deleted = world.ecs.delete_task_set(**OURS, taskSet=old["id"], force=True)["taskSet"]
    assert deleted["status"] == "DRAINING" and deleted["computedDesiredCount"] == 0
    assert (
        refusal(world.ecs.update_service_primary_task_set, **OURS, primaryTaskSet=old["id"])
        == "InvalidParameterException"
    )
    world.until(lambda: [each["id"] for each in world.task_sets()] == [new["id"]])
    assert world.states(world.blue) == []
    assert {each["stopCode"] for each in tasks(world, "STOPPED")} == {"ServiceSchedulerInitiated"}
    assert refusal(world.ecs.delete_task_set, **OURS, taskSet=old["id"]) == "TaskSetNotFoundException"
    told = world.ecs.describe_task_sets(**OURS, taskSets=[old["id"], new["id"]])
    assert [each["id"] for each in told["taskSets"]] == [new["id"]]
    assert told["failures"] == [{"arn": old["id"], "reason": "MISSING"}]


def test_a_task_set_that_is_scaled_to_zero_needs_no_force(world):
    world.serve("EXTERNAL")
    made = world.task_set(world.task_definition(image="web:2"), world.green, scale=0)
    world.ecs.delete_task_set(**OURS, taskSet=made["id"])
    world.until(lambda: len(world.task_sets()) == 1)


def test_five_task_sets_are_enough(world):
    world.create("EXTERNAL", desired=0)
    definition = world.task_definition()
    for _ in range(5):
        world.task_set(definition, world.green)
    assert "5 deployments exist on the service" in message(world.task_set, definition, world.green)


def test_code_deploy_guards_its_services(world, aws):
    world.serve("CODE_DEPLOY")
    new = world.task_definition(image="web:2")
    told = message(world.ecs.update_service, **OURS, taskDefinition=new)
    assert told.startswith("Unable to update task definition on services with a CODE_DEPLOY deployment controller.")
    told = message(world.ecs.update_service, **OURS, forceNewDeployment=True)
    assert told.startswith("Unable to update network parameters on services with a CODE_DEPLOY deployment controller.")
    assert refusal(world.task_set, new, world.green) == "InvalidParameterException"
    assert len(world.task_sets()) == 1

    aws.ask("accept_code_deploy", accepted=True)
    made = world.task_set(new, world.green)
    world.until(lambda: task_set(world, made)["stabilityStatus"] == "STEADY_STATE")


def test_only_external_and_code_deploy_have_task_sets(world):
    world.serve("ECS")
    assert refusal(world.task_set, world.task_definition(), world.green) == "InvalidParameterException"
    world.ecs.delete_service(**OURS, force=True)
    world.until(lambda: world.service()["status"] == "INACTIVE")
    assert refusal(world.task_set, world.task_definition(), world.green) == "ServiceNotActiveException"


def test_a_task_that_exits_is_replaced_and_says_why(world, aws):
    aws.ask("run_image", image="broken", command=["sh", "-c", "exit 7"])
    world.create("EXTERNAL", desired=1)
    made = world.task_set(world.task_definition(image="broken:1"), world.green)
    world.until(lambda: len(tasks(world, "STOPPED")) >= 3)
    for task in tasks(world, "STOPPED"):
        assert (task["stopCode"], task["stoppedReason"]) == (
            "EssentialContainerExited",
            "Essential container in task exited",
        )
        assert task["containers"][0]["exitCode"] == 7
    assert task_set(world, made)["stabilityStatus"] == "STABILIZING"
    assert "stopped: Essential container in task exited" in events(world)


def test_a_command_that_is_not_there_is_a_task_that_fails(world, aws):
    aws.ask("run_image", image="broken", command=["/nowhere/server"])
    world.create("EXTERNAL", desired=1)
    world.task_set(world.task_definition(image="broken"), world.green)
    world.until(lambda: {each["containers"][0]["exitCode"] for each in tasks(world, "STOPPED")} == {127})


def test_a_container_gets_its_environment_and_the_closest_command(world, aws):
    aws.ask("run_image", image="registry.example:5000/web", command=["sh", "-c", "exit $CODE"])
    aws.ask("run_image", image="registry.example:5000/web:special", command=["sh", "-c", "exit 99"])
    world.create("EXTERNAL", desired=1)
    environment = [{"name": "CODE", "value": "41"}]
    for image, code in ((":1", 41), ("@sha256:" + "0" * 64, 41), (":special", 99)):
        definition = world.task_definition(image=f"registry.example:5000/web{image}", environment=environment)
        made = world.task_set(definition, world.green)
        world.until(lambda: any(each["startedBy"] == made["id"] for each in tasks(world, "STOPPED")))  # noqa: B023
        ended = [each for each in tasks(world, "STOPPED") if each["startedBy"] == made["id"]]
        assert {each["containers"][0]["exitCode"] for each in ended} == {code}
        world.ecs.delete_task_set(**OURS, taskSet=made["id"], force=True)


def test_a_task_of_a_service_that_is_stopped_is_replaced(world):
    world.serve("EXTERNAL", desired=1)
    (task,) = tasks(world)
    stopped = world.ecs.stop_task(cluster=CLUSTER, task=task["taskArn"], reason="a test")["task"]
    assert stopped["desiredStatus"] == "STOPPED"
    world.until(lambda: [each["taskArn"] for each in tasks(world)] not in ([], [task["taskArn"]]))
    world.until(world.is_steady)
    world.until(lambda: tasks(world, "STOPPED")[0]["lastStatus"] == "STOPPED")
    assert tasks(world, "STOPPED")[0]["stoppedReason"] == "a test"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"networkConfiguration": {}}, "Network Configuration must be provided"),
        (
            {"loadBalancers": [{"targetGroupArn": "GONE", "containerName": "web", "containerPort": 8080}]},
            "does not exist",
        ),
        ({"loadBalancers": [{"targetGroupArn": "BLUE", "containerName": "db", "containerPort": 8080}]}, "container db"),
        ({"loadBalancers": [{"targetGroupArn": "BLUE", "containerName": "web", "containerPort": 81}]}, "port 81"),
        ({"loadBalancers": [{"targetGroupArn": "HOSTS", "containerName": "web", "containerPort": 8080}]}, "awsvpc"),
    ],
)
def test_task_sets_that_could_not_run_are_refused(world, change, said):
    world.create("EXTERNAL")
    arns = {"GONE": world.blue + "0", "BLUE": world.blue, "HOSTS": world.target_group("hosts", kind="instance")}
    for each in change.get("loadBalancers", []):
        each["targetGroupArn"] = arns.get(each["targetGroupArn"], each["targetGroupArn"])
    given = {"networkConfiguration": world.network, "loadBalancers": world.balanced(world.blue), **change}
    asked = {**OURS, "taskDefinition": world.task_definition(), "launchType": "FARGATE", **given}
    assert said in message(world.ecs.create_task_set, **asked)
    assert world.task_sets() == []


def test_emptying_the_cloud_ends_all_processes(world, aws):
    world.serve("EXTERNAL")
    asked = [(each["Id"], each["Port"]) for each in targets(world)]
    assert len(asked) == 2 and all(answers(each) for each in asked)
    aws.reset()
    assert not any(answers(each) for each in asked)


def targets(world):
    told = world.elbv2.describe_target_health(TargetGroupArn=world.blue)["TargetHealthDescriptions"]
    return [each["Target"] for each in told]


def answers(place):
    import socket

    with socket.socket() as asking:
        return asking.connect_ex(place) == 0
