"""The cloud's ECS where it deploys itself: rolling updates, the circuit breaker, blue/green, and how they are told."""

import pytest
from botocore.exceptions import ClientError
from support.corrections.ecs.blue_green import shifts
from support.ecs_world import CLUSTER, SERVICE, EcsWorld, forward
from support.traffic import Load

OURS = {"cluster": CLUSTER, "service": SERVICE}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def world(aws):
    return EcsWorld(aws)


def refusal(call, **asked):
    with pytest.raises(ClientError) as caught:
        call(**asked)
    return caught.value.response["Error"]["Code"]


def update(world, **changes):
    return world.ecs.update_service(**OURS, **changes)["service"]


def service_deployments(world):
    """Newest first, in full."""
    told = world.ecs.list_service_deployments(**OURS)["serviceDeployments"]
    arns = [each["serviceDeploymentArn"] for each in told]
    return world.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]


def newest(world):
    return service_deployments(world)[0]


def test_a_service_starts_and_is_stable(world):
    made = world.create("ECS", desired=2)
    (first,) = made["deployments"]
    assert (first["status"], first["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")
    assert made["deploymentConfiguration"]["strategy"] == "ROLLING"
    waits = {"Delay": 1, "MaxAttempts": 30}
    world.ecs.get_waiter("services_stable").wait(cluster=CLUSTER, services=[SERVICE], WaiterConfig=waits)
    world.until(world.is_steady)
    told = world.service()
    assert (told["runningCount"], told["pendingCount"], told["taskSets"]) == (2, 0, [])
    assert world.states(world.blue) == ["healthy", "healthy"]
    assert "has reached a steady state." in told["events"][0]["message"]
    assert newest(world)["status"] == "SUCCESSFUL"


def test_a_rolling_update_under_load_loses_nothing(world):
    world.serve("ECS", desired=3)
    before = world.service()["deployments"][0]
    new = world.task_definition(image="web:2")
    with Load(world.open(world.listener), parallel=4) as load:
        load.wait_for(20)
        now, old = update(world, taskDefinition=new)["deployments"]
        assert (now["status"], now["rolloutState"], now["taskDefinition"]) == ("PRIMARY", "IN_PROGRESS", new)
        assert (old["status"], old["id"]) == ("ACTIVE", before["id"])
        world.until(world.is_steady)
        load.wait_for(40)
    assert load.failures == []
    assert load.share("web:2", last=30) == 1
    (done,) = world.service()["deployments"]
    assert (done["id"], done["runningCount"], done["rolloutState"]) == (now["id"], 3, "COMPLETED")
    followed = newest(world)
    assert followed["status"] == "SUCCESSFUL"
    revision = followed["targetServiceRevision"]["arn"]
    (told,) = world.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert told["taskDefinition"] == new


def test_old_tasks_go_first_where_no_more_may_run_than_wanted(world):
    """At most 100 percent, at least 50: of four tasks, never more than four, never less than two."""
    limits = {"maximumPercent": 100, "minimumHealthyPercent": 50}
    world.serve("ECS", desired=4, deploymentConfiguration=limits)
    update(world, taskDefinition=world.task_definition(image="web:2"))
    seen = set()

    def is_over():
        told = world.service()
        seen.add(told["runningCount"])
        assert told["runningCount"] + told["pendingCount"] <= 4
        return [each["rolloutState"] for each in told["deployments"]] == ["COMPLETED"]

    world.until(is_over)
    assert min(seen) >= 2


def test_the_circuit_breaker_rolls_back(world, aws):
    aws.ask("run_image", image="broken", command=["false"])
    world.serve("ECS", desired=2, deploymentConfiguration=BREAKER)
    (good,) = world.service()["deployments"]
    bad = update(world, taskDefinition=world.task_definition(image="broken:1"))["deployments"][0]
    world.until(lambda: newest(world)["status"] == "ROLLBACK_SUCCESSFUL")
    (now,) = world.service()["deployments"]
    assert (now["id"], now["rolloutState"]) == (good["id"], "COMPLETED") and now["id"] != bad["id"]
    assert world.service()["taskDefinition"] == good["taskDefinition"]
    followed = newest(world)
    assert followed["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    assert followed["deploymentCircuitBreaker"]["threshold"] == 3
    assert followed["rollback"]["reason"] == "ECS deployment circuit breaker: tasks failed to start."
    said = "\n".join(each["message"] for each in world.service()["events"])
    assert f"(deployment {bad['id']}) deployment failed: tasks failed to start." in said
    assert f"rolling back to deploymentId {good['id']}." in said


def test_the_circuit_breaker_without_rollback_leaves_what_was(world, aws):
    aws.ask("run_image", image="broken", command=["false"])
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    world.serve("ECS", desired=1, deploymentConfiguration=breaker)
    bad = world.task_definition(image="broken:1")
    update(world, taskDefinition=bad)
    world.until(lambda: world.service()["deployments"][0]["rolloutState"] == "FAILED")
    failed, good = world.service()["deployments"]
    assert failed["taskDefinition"] == bad and failed["failedTasks"] >= 3
    assert (good["status"], good["runningCount"]) == ("ACTIVE", 1)
    assert newest(world)["status"] == "STOPPED"
    assert world.service()["taskDefinition"] == bad
    update(world, taskDefinition=good["taskDefinition"])
    world.until(world.is_steady)


def test_without_a_circuit_breaker_a_bad_deployment_goes_on_and_on(world, aws):
    aws.ask("run_image", image="broken", command=["false"])
    world.serve("ECS", desired=1)
    update(world, taskDefinition=world.task_definition(image="broken:1"))
    world.until(lambda: world.service()["deployments"][0]["failedTasks"] >= 4)
    bad, good = world.service()["deployments"]
    assert (bad["rolloutState"], good["runningCount"]) == ("IN_PROGRESS", 1)


def test_tasks_that_the_load_balancer_finds_ill_trip_the_circuit_breaker(world, aws):
    aws.ask("run_image", image="deaf", command=["sleep", "600"])
    world.serve("ECS", desired=1, deploymentConfiguration=BREAKER)
    update(world, taskDefinition=world.task_definition(image="deaf:1"))
    world.until(lambda: newest(world)["status"] == "ROLLBACK_SUCCESSFUL", within=60)
    assert world.states(world.blue) == ["healthy"]


def test_a_grace_period_keeps_tasks_that_the_load_balancer_finds_ill(world, aws):
    aws.ask("run_image", image="deaf", command=["sleep", "600"])
    world.create(
        "ECS", desired=1, taskDefinition=world.task_definition(image="deaf:1"), healthCheckGracePeriodSeconds=3600
    )
    world.until(lambda: world.states(world.blue) == ["unhealthy"])
    assert world.service()["runningCount"] == 1 and not world.is_steady()
    update(world, healthCheckGracePeriodSeconds=0)
    assert world.states(world.blue) == ["unhealthy"], "it began with its grace"


def test_a_deployment_under_way_can_be_rolled_back(world, aws):
    aws.ask("run_image", image="slow", command=["sleep", "600"])
    world.serve("ECS", desired=1)
    update(world, taskDefinition=world.task_definition(image="slow:1"))
    arn = newest(world)["serviceDeploymentArn"]
    assert world.ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    world.until(lambda: newest(world)["status"] == "ROLLBACK_SUCCESSFUL")
    assert refusal(world.ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"
    gone = refusal(world.ecs.stop_service_deployment, serviceDeploymentArn=arn + "0")
    assert gone == "ServiceDeploymentNotFoundException"


def test_a_newer_deployment_replaces_one_under_way(world, aws):
    aws.ask("run_image", image="slow", command=["sleep", "600"])
    world.serve("ECS", desired=1)
    update(world, taskDefinition=world.task_definition(image="slow:1"))
    update(world, taskDefinition=world.task_definition(image="web:3"))
    world.until(world.is_steady)
    assert [each["status"] for each in service_deployments(world)] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    (stopped,) = world.ecs.list_service_deployments(**OURS, status=["STOPPED"])["serviceDeployments"]
    assert stopped["serviceDeploymentArn"] == service_deployments(world)[1]["serviceDeploymentArn"]
    missing = {"serviceDeploymentArns": [stopped["serviceDeploymentArn"] + "0"]}
    assert len(world.ecs.describe_service_deployments(**missing)["failures"]) == 1


def test_what_starts_no_tasks_starts_no_deployment(world):
    world.serve("ECS", desired=1)
    (before,) = world.service()["deployments"]
    update(world, taskDefinition=before["taskDefinition"], desiredCount=2, healthCheckGracePeriodSeconds=5)
    world.until(lambda: world.service()["runningCount"] == 2)
    (after,) = world.service()["deployments"]
    assert after["id"] == before["id"]
    update(world, forceNewDeployment=True)
    assert world.service()["deployments"][0]["id"] != before["id"]


def test_a_service_is_created_once(world):
    world.create("ECS", desired=1, clientToken="t-1")
    same = world.create("ECS", desired=1, clientToken="t-1")
    assert same["serviceArn"] == world.service()["serviceArn"]
    assert refusal(world.create, controller="ECS", clientToken="t-2") == "InvalidParameterException"


def test_a_service_needs_a_group_that_a_load_balancer_uses(world):
    asked = {"controller": "ECS", "loadBalancers": world.balanced(world.green)}
    assert refusal(world.create, **asked) == "InvalidParameterException"


def test_a_deleted_service_drains(world):
    world.serve("ECS", desired=1)
    assert refusal(world.ecs.delete_service, **OURS) == "InvalidParameterException"
    assert world.ecs.delete_service(**OURS, force=True)["service"]["status"] == "DRAINING"
    world.until(lambda: world.service()["status"] == "INACTIVE")
    assert world.states(world.blue) == []
    assert refusal(world.ecs.update_service, **OURS, desiredCount=1) == "ServiceNotActiveException"
    world.serve("ECS", desired=1)


# ECS's own blue/green


def rule_of(world, listener):
    """A rule for all paths, which forwards to blue."""
    made = world.elbv2.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        Actions=[forward({world.blue: 1, world.green: 0})],
    )
    return made["Rules"][0]["RuleArn"]


def weights(world, rule):
    (told,) = world.elbv2.describe_rules(RuleArns=[rule])["Rules"]
    return [(each["TargetGroupArn"], each["Weight"]) for each in told["Actions"][0]["ForwardConfig"]["TargetGroups"]]


@pytest.fixture
def own(world):
    """A service whose strategy is BLUE_GREEN; it serves from blue."""
    world.rules = [rule_of(world, listener) for listener in (world.listener, world.test_listener)]
    (balancer,) = world.balanced(world.blue)
    advanced = {
        "alternateTargetGroupArn": world.green,
        "productionListenerRule": world.rules[0],
        "testListenerRule": world.rules[1],
        "roleArn": "arn:aws:iam::111122223333:role/ecs",
    }
    strategy = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, **BREAKER}
    balanced = [{**balancer, "advancedConfiguration": advanced}]
    world.serve("ECS", desired=2, deploymentConfiguration=strategy, loadBalancers=balanced)
    world.until(lambda: newest(world)["status"] == "SUCCESSFUL")
    return world


def test_ecs_moves_the_rules_and_bakes(own):
    new = own.task_definition(image="web:2")
    stages = []
    with Load(own.open(own.listener), parallel=4) as load:
        update(own, taskDefinition=new)

        def is_over():
            followed = newest(own)
            if followed.get("lifecycleStage") not in (None, *stages[-1:]):
                stages.append(followed["lifecycleStage"])
            return followed["status"] == "SUCCESSFUL"

        own.until(is_over)
        load.wait_for(40)
    assert load.failures == []
    assert load.share("web:2", last=30) == 1
    order = ["SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]
    assert stages == [each for each in order if each in stages] and "BAKE_TIME" in stages
    for rule in own.rules:
        assert weights(own, rule) == [(own.green, 100), (own.blue, 0)]
    assert own.states(own.blue) == [] and own.states(own.green) == ["healthy", "healthy"]
    (now,) = own.service()["deployments"]
    assert (now["taskDefinition"], now["rolloutState"]) == (new, "COMPLETED")

    update(own, taskDefinition=own.task_definition(image="web:3"))  # and back to the other group
    own.until(lambda: newest(own)["status"] == "SUCCESSFUL")
    assert weights(own, own.rules[0]) == [(own.blue, 100), (own.green, 0)]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 20, "canaryBakeTimeInMinutes": 1}}, [20, 100]),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 40, "stepBakeTimeInMinutes": 1}}, [40, 80, 100]),
    ],
)
def test_ecs_shifts_in_steps(own, strategy, expected):
    update(own, taskDefinition=own.task_definition(image="web:2"), deploymentConfiguration=strategy)
    seen = []

    def is_over():
        followed = newest(own)
        weight = followed["targetServiceRevision"].get("requestedProductionTrafficWeight", 0)
        if weight and weight not in seen:
            seen.append(weight)
            assert sum(each for _, each in weights(own, own.rules[0])) == 100
        return followed["status"] == "SUCCESSFUL"

    own.until(is_over)
    assert seen == [each for each in expected if each in seen] and seen[-1] == 100
    assert weights(own, own.rules[0]) == [(own.green, 100), (own.blue, 0)]


def test_steps_of_ecs_own_strategies():
    assert shifts({"strategy": "CANARY"}) == [(5.0, 10), (100.0, 0)]
    assert [weight for weight, _ in shifts({"strategy": "LINEAR"})] == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert shifts({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 40.0}}) == [(40, 6), (80, 6), (100, 0)]
    assert shifts({"strategy": "BLUE_GREEN"}) == [(100.0, 0)]


def test_ecs_leaves_the_rules_where_new_tasks_do_not_start(own, aws):
    aws.ask("run_image", image="broken", command=["false"])
    update(own, taskDefinition=own.task_definition(image="broken:1"))
    own.until(lambda: newest(own)["status"] == "ROLLBACK_SUCCESSFUL")
    assert weights(own, own.rules[0])[0][0] == own.blue
    assert own.states(own.blue) == ["healthy", "healthy"] and own.states(own.green) == []


def test_ecs_goes_back_while_it_bakes(own):
    longer = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1440}
    with Load(own.open(own.listener), parallel=4) as load:
        update(own, taskDefinition=own.task_definition(image="web:2"), deploymentConfiguration=longer)
        own.until(lambda: newest(own).get("lifecycleStage") == "BAKE_TIME")
        load.wait_for(20)
        own.ecs.stop_service_deployment(serviceDeploymentArn=newest(own)["serviceDeploymentArn"])
        own.until(lambda: newest(own)["status"] == "ROLLBACK_SUCCESSFUL")
        load.wait_for(40)
    assert load.failures == []
    assert load.share("web:1", last=30) == 1
    assert weights(own, own.rules[0])[0] == (own.blue, 100)
