"""The cloud's ECS and load balancers with the cloud's faults: old reads, and calls that took effect though nobody heard."""

import os
import time

import boto3
import processes
import pytest
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from support.cloud import cloud
from support.ecs_world import CLUSTER, SERVICE, EcsWorld

OURS = {"cluster": CLUSTER, "service": SERVICE}


@pytest.fixture
def world(aws):
    world = EcsWorld(aws)
    world.serve("EXTERNAL")
    return world


def client(service):
    """The client under test, as `aws` has set the environment; it tries once."""
    return boto3.session.Session().client(service, config=Config(retries={"total_max_attempts": 1}))


def test_reads_that_lag_show_a_service_as_it_was(world, aws):
    ecs, elbv2 = client("ecs"), client("elbv2")
    aws.lag(600)
    made = ecs.create_task_set(
        **OURS,
        taskDefinition=world.task_definition(image="web:2"),
        launchType="FARGATE",
        networkConfiguration=world.network,
        loadBalancers=world.balanced(world.green),
        clientToken="d-1",
    )["taskSet"]
    assert len(ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]["taskSets"]) == 1
    assert ecs.describe_task_sets(**OURS, taskSets=[made["id"]])["failures"][0]["reason"] == "MISSING"
    assert len(world.task_sets()) == 2, "the tests' own client sees what is"
    elbv2.modify_listener(
        ListenerArn=world.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": world.green}]
    )
    (told,) = elbv2.describe_listeners(ListenerArns=[world.listener])["Listeners"]
    assert told["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"] == world.blue
    world.until(lambda: world.states(world.green) == ["healthy", "healthy"])  # it goes on underneath
    world.until(world.is_steady)
    aws.lag(0)
    assert len(ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]["taskSets"]) == 2
    (told,) = elbv2.describe_listeners(ListenerArns=[world.listener])["Listeners"]
    assert told["DefaultActions"][0]["TargetGroupArn"] == world.green


def test_a_task_set_whose_answer_was_lost_is_found_by_its_token(world, aws):
    asked = {
        **OURS,
        "taskDefinition": world.task_definition(image="web:2"),
        "launchType": "FARGATE",
        "networkConfiguration": world.network,
        "loadBalancers": world.balanced(world.green),
        "clientToken": "d-1",
    }
    aws.cut("ecs", "CreateTaskSet", carried_out=True)
    ecs = client("ecs")
    with pytest.raises(HTTPClientError):
        ecs.create_task_set(**asked)
    made = ecs.create_task_set(**asked)["taskSet"]
    assert made["id"] in [each["id"] for each in world.task_sets()] and len(world.task_sets()) == 2


def test_tasks_die_with_a_cloud_that_is_killed(tmp_path):
    before = set(processes.children_of(os.getpid()))
    with cloud(tmp_path) as own:
        (server,) = set(processes.children_of(os.getpid())) - before
        EcsWorld(own).serve("EXTERNAL")
        tasks = [each for each in processes.children_of(server) if processes.is_running(each)]
        assert len(tasks) == 2
        processes.kill(server, parent=os.getpid())
        deadline = time.monotonic() + 20
        while any(processes.is_running(each) for each in tasks):
            assert time.monotonic() < deadline
            time.sleep(0.01)
