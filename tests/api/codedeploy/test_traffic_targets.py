"""The one target of a deployment to Lambda or ECS, and the deployment itself, as they move on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from traffic_rig import TrafficRig
from traffic_shapes import SHIFTED, function_appspec, service_appspec, service_group

from runner.api.codedeploy.arns import Arns
from runner.model.aws import AwsPlace

CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
ECS_EVENTS = [
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[TrafficRig]:
    with TrafficRig(tmp_path) as made:
        yield made


def test_the_target_of_a_function_tells_of_its_alias(rig: TrafficRig):
    made = rig.start(rig.function(deploymentConfigName=CANARY), function_appspec())
    assert rig.client.list_deployment_targets(deploymentId=made)["targetIds"] == ["shop"]
    target = rig.target(made)
    assert target.pop("lastUpdatedAt") == rig.world.now
    events = target.pop("lifecycleEvents")
    assert [(each["lifecycleEventName"], each["status"]) for each in events] == [
        ("BeforeAllowTraffic", "Succeeded"),
        ("AllowTraffic", "InProgress"),
        ("AfterAllowTraffic", "Pending"),
    ]
    assert target == {
        "deploymentId": made,
        "targetId": "shop",
        "targetArn": "arn:aws:lambda:us-east-1:111122223333:function:shop",
        "status": "InProgress",
        "lambdaFunctionInfo": {
            "functionName": "shop",
            "functionAlias": "live",
            "currentVersion": "1",
            "targetVersion": "2",
            "targetVersionWeight": 10.0,
        },
    }


def test_the_target_of_a_service_tells_of_its_task_sets(rig: TrafficRig):
    made = rig.start(rig.service(ready=10), service_appspec())
    target = rig.target(made)
    assert (target["targetId"], target["status"]) == ("main:web", "Ready")
    assert target["targetArn"] == "arn:aws:ecs:us-east-1:111122223333:service/main/web"
    counts = {"desiredCount": 2, "pendingCount": 0, "runningCount": 2}
    assert target["taskSetsInfo"] == [
        {
            "identifer": "ecs-svc/1",
            **counts,
            "status": "PRIMARY",
            "trafficWeight": 100.0,
            "targetGroup": {"name": "blue"},
            "taskSetLabel": "Blue",
        },
        {
            "identifer": "ecs-svc/2",
            **counts,
            "status": "ACTIVE",
            "trafficWeight": 0.0,
            "targetGroup": {"name": "green"},
            "taskSetLabel": "Green",
        },
    ]


def test_lifecycle_events_are_codedeploys_own(rig: TrafficRig):
    """What ends the original task set is none."""
    made = rig.start(rig.service(), service_appspec())
    ran = rig.world.store.targets(made)[0].lifecycle_events
    assert [each.name for each in ran] == [*ECS_EVENTS, "Terminate"]
    assert [each["lifecycleEventName"] for each in rig.target(made)["lifecycleEvents"]] == ECS_EVENTS


def test_a_deployment_to_a_service_tells_what_it_is_and_waits_for(rig: TrafficRig):
    made = rig.start(rig.service(ready=10, termination=5), service_appspec())
    told = rig.get(made)
    given = service_group(ready=10, termination=5)
    assert (told["computePlatform"], told["status"], told["deploymentStyle"]) == ("ECS", "Ready", SHIFTED)
    for member in ("blueGreenDeploymentConfiguration", "loadBalancerInfo"):
        assert told[member] == given[member]
    none = {"Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0}
    assert told["deploymentOverview"] == {**none, "Ready": 1}
    assert told["deploymentStatusMessages"] == ["waits for somebody to continue, then traffic moves"]
    assert not told["instanceTerminationWaitTimeStarted"]
    assert rig.client.list_deployments(includeOnlyStatuses=["Ready"])["deployments"] == [made]
    assert rig.client.list_deployment_targets(deploymentId=made, targetFilters={"TargetStatus": ["Ready"]})["targetIds"]
    rig.client.continue_deployment(deploymentId=made)
    rig.world.settle()
    told = rig.get(made)
    assert (told["status"], told["instanceTerminationWaitTimeStarted"]) == ("InProgress", True)
    rig.world.wait(minutes=5)
    told = rig.get(made)
    assert (told["status"], told["instanceTerminationWaitTimeStarted"]) == ("Succeeded", True)
    assert told["deploymentOverview"] == {**none, "Succeeded": 1}


def test_a_failed_act_is_told_with_its_code_and_rolled_back_by_a_new_deployment(rig: TrafficRig):
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    place = rig.service(termination=5, autoRollbackConfiguration=rollback)
    rig.world.breaks = lambda action: action.task.act.event == "AllowTraffic" and not action.task.job.restoring
    made = rig.start(place, service_appspec())
    told, target = rig.get(made), rig.target(made)
    assert (told["status"], target["status"]) == ("Failed", "Failed")
    assert told["errorInformation"] == {"code": "ECS_UPDATE_ERROR", "message": "AllowTraffic: it broke"}
    events = {each["lifecycleEventName"]: each for each in target["lifecycleEvents"]}
    assert events["AllowTraffic"]["diagnostics"]["message"] == "it broke"
    assert events["AfterAllowTraffic"]["status"] == "Skipped"
    back = rig.get(told["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["creator"], back["status"]) == ("codeDeployRollback", "Succeeded")
    assert not back["instanceTerminationWaitTimeStarted"]
    target = rig.target(back["deploymentId"])
    assert [each["lifecycleEventName"] for each in target["lifecycleEvents"]] == ["AllowTraffic"]
    assert [(each["identifer"], each["status"]) for each in target["taskSetsInfo"]] == [("ecs-svc/1", "PRIMARY")]


def test_labels_of_instances_are_for_servers(rig: TrafficRig):
    made = rig.start(rig.service(), service_appspec())
    filters = {"ServerInstanceLabel": ["Blue"]}
    code, message = rig.refused("list_deployment_targets", deploymentId=made, targetFilters=filters)
    assert (code, "ECS" in message) == ("InvalidDeploymentInstanceTypeException", True)


def test_two_targets_are_too_many_even_before_it_has_started(rig: TrafficRig):
    made = rig.create(**rig.function(), revision=function_appspec())
    batch = "batch_get_deployment_targets"
    too_many = rig.refused(batch, deploymentId=made, targetIds=["shop", "other"])
    assert too_many[0] == "DeploymentTargetListSizeExceededException"
    assert rig.refused(batch, deploymentId=made, targetIds=["shop"])[0] == "DeploymentNotStartedException"


def test_arns_are_of_the_place_that_the_target_is_in():
    arns = Arns("us-east-1", "000000000000")
    china = AwsPlace(region="cn-north-1", role="arn:aws-cn:iam::111122223333:role/r")
    assert arns.function("f", china) == "arn:aws-cn:lambda:cn-north-1:111122223333:function:f"
    assert arns.service("c", "s", AwsPlace()) == "arn:aws:ecs:us-east-1:000000000000:service/c/s"
    cluster = "arn:aws:ecs:eu-west-1:1:cluster/c"
    assert arns.service(cluster, "s", AwsPlace()) == "arn:aws:ecs:us-east-1:000000000000:service/c/s"
    for whole in ("arn:aws:lambda:eu-west-1:1:function:f", "arn:aws:ecs:eu-west-1:1:service/c/s"):
        assert whole in (arns.function(whole, china), arns.service("c", whole, china))
