"""ECS: what moto bends or lacks, asserted so that a new moto shows itself. What ours does: `test_cloud_ecs_*.py`."""

import pytest
from botocore.exceptions import ClientError, WaiterError
from support.ecs_world import CLUSTER, SERVICE, EcsWorld

OURS = {"cluster": CLUSTER, "service": SERVICE}


@pytest.fixture
def bare(plain):
    """A load balancer and a cluster on moto as it comes, and a network that moto can read."""
    world = EcsWorld(plain)
    world.network["awsvpcConfiguration"]["securityGroups"] = []
    return world


def runnable(world, image="web:1"):
    """A task definition that moto can place."""
    return world.task_definition(image=image, memory=512)


def refused(call, **asked):
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_gap_security_groups_are_required(bare):
    del bare.network["awsvpcConfiguration"]["securityGroups"]
    assert refused(bare.create, controller="ECS") == 500


def test_gap_a_code_deploy_service_has_no_task_set(bare):
    bare.create("CODE_DEPLOY")
    assert bare.task_sets() == []


def test_gap_no_task_of_a_service_ever_runs(bare):
    bare.create("ECS")
    told = bare.service()
    assert (told["runningCount"], told["pendingCount"]) == (0, 2)
    assert bare.ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"] == []
    assert bare.states(bare.blue) == []


def test_gap_services_are_never_stable(bare):
    bare.create("ECS")
    waiter = bare.ecs.get_waiter("services_stable")
    with pytest.raises(WaiterError):
        waiter.wait(cluster=CLUSTER, services=[SERVICE], WaiterConfig={"Delay": 0, "MaxAttempts": 3})


def test_gap_a_task_set_is_steady_at_once_and_counts_nothing(bare):
    bare.create("EXTERNAL")
    bare.task_set(runnable(bare), bare.blue)
    (told,) = bare.task_sets()
    assert told["stabilityStatus"] == "STEADY_STATE"
    assert not {"computedDesiredCount", "runningCount", "pendingCount"} & told.keys()


def test_gap_tasks_need_memory_in_their_containers(bare):
    """Fargate takes the task's memory. Our task sets do; RunTask is as it was, for nothing here calls it."""
    bare.create("EXTERNAL")
    asked = {"definition": bare.task_definition(), "group": bare.blue}
    assert refused(bare.task_set, **asked) == 500


def test_gap_a_client_token_makes_a_second_task_set(bare):
    bare.create("EXTERNAL")
    definition = runnable(bare)
    for _ in range(2):
        bare.task_set(definition, bare.blue, clientToken="d-1")
    assert len(bare.task_sets()) == 2


def test_gap_a_primary_task_set_is_deleted_without_force_and_at_once(bare):
    bare.create("EXTERNAL")
    made = bare.task_set(runnable(bare), bare.blue)
    bare.ecs.update_service_primary_task_set(**OURS, primaryTaskSet=made["taskSetArn"])
    bare.ecs.delete_task_set(**OURS, taskSet=made["taskSetArn"])
    assert bare.task_sets() == []


def test_gap_code_deploy_does_not_guard_its_services(bare):
    bare.create("CODE_DEPLOY")
    new = runnable(bare, "web:2")
    bare.ecs.update_service(**OURS, taskDefinition=new)
    assert bare.service()["taskDefinition"] == new
    bare.task_set(new, bare.green)


def test_gap_an_update_starts_no_deployment(bare):
    bare.create("ECS")
    (before,) = bare.service()["deployments"]
    bare.ecs.update_service(**OURS, taskDefinition=bare.task_definition(image="web:2"))
    (after,) = bare.service()["deployments"]
    assert (before["id"], before["taskDefinition"]) == (after["id"], after["taskDefinition"])


def test_gap_a_task_set_that_is_not_there_has_another_error(bare):
    """The service model says TaskSetNotFoundException."""
    bare.create("EXTERNAL")
    with pytest.raises(bare.ecs.exceptions.ClientException):
        bare.ecs.delete_task_set(**OURS, taskSet="ecs-svc/0")


def test_gap_the_same_service_is_created_twice(bare):
    bare.create("ECS")
    bare.create("ECS")


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("list_service_deployments", {"cluster": CLUSTER, "service": SERVICE}),
        ("describe_service_deployments", {"serviceDeploymentArns": ["arn"]}),
        ("describe_service_revisions", {"serviceRevisionArns": ["arn"]}),
        ("stop_service_deployment", {"serviceDeploymentArn": "arn"}),
        ("execute_command", {"cluster": CLUSTER, "task": "t", "command": "true", "interactive": True}),
        ("submit_task_state_change", {"cluster": CLUSTER, "task": "t", "status": "RUNNING"}),
    ],
)
def test_gap_operations_that_moto_does_not_know(bare, operation, asked):
    """We add the first four; nothing here calls the last two."""
    assert refused(getattr(bare.ecs, operation), **asked) == 500
