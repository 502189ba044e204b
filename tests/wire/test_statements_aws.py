"""Statements 43, 45, 46 and 50 of the behaviour reference, with an alias, hook functions and an alarm that AWS holds.

The clock is the world's own: minutes and hours pass at once.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_world import AwsWorld
from botocore.exceptions import ClientError
from support.alarms import make_alarm
from support.cloud import Cloud
from support.ecs_world import CONTAINER, PORT, EcsWorld
from support.functions import HOOK, make_function
from support.traffic import Load
from traffic_shapes import function_appspec, service_appspec

CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"


@pytest.fixture
def bare(tmp_path: Path, aws: Cloud) -> Iterator[AwsWorld]:
    with AwsWorld(tmp_path, aws) as made:
        yield made


@pytest.fixture
def world(bare: AwsWorld) -> AwsWorld:
    """With the function."""
    bare.function()
    return bare


def test_43_a_canary_has_10_percent_at_once_and_all_after_5_minutes_at_aws(world: AwsWorld):
    made = world.deploy(world.group(CANARY), function_appspec())
    world.until(lambda: world.alias() == {"1": 0.9, "2": 0.1})
    world.until(lambda: world.weight(made) == 10.0)
    world.later(minutes=4.9)
    assert world.alias() == {"1": 0.9, "2": 0.1}
    world.later(minutes=0.1)
    assert world.ended(made)["status"] == "Succeeded"
    assert world.alias() == {"2": 1.0}


def test_statement_45_a_hook_that_never_calls_back_fails_after_an_hour(world: AwsWorld):
    make_function(world.aws, "check", HOOK, variables={**world.variables, "STATUS": ""})
    made = world.deploy(world.group(), function_appspec(BeforeAllowTraffic="check"))
    world.until(lambda: world.aws.calls(mutating=True, operation="Invoke"))
    world.later(minutes=59)
    assert world.events(made)["BeforeAllowTraffic"]["status"] == "InProgress"
    world.later(minutes=1.1)
    told = world.ended(made)
    assert (told["status"], told["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert {name: each["status"] for name, each in world.events(made).items()} == {
        "BeforeAllowTraffic": "Failed",
        "AllowTraffic": "Skipped",
        "AfterAllowTraffic": "Skipped",
    }
    assert world.alias() == {"1": 1.0}
    assert len(world.aws.calls(mutating=True, operation="Invoke")) == 1


def test_statement_46_a_hook_says_succeeded_or_failed_and_says_it_once(world: AwsWorld):
    make_function(world.aws, "check", HOOK, variables={**world.variables, "STATUS": ""})
    made = world.deploy(world.group(), function_appspec(BeforeAllowTraffic="check"))
    given = {"deploymentId": made, "lifecycleEventHookExecutionId": execution_of(world, made)}
    put = world.client.put_lifecycle_event_hook_execution_status
    assert refused(put, **given, status="Skipped") == "InvalidLifecycleEventHookExecutionStatusException"
    other = {**given, "lifecycleEventHookExecutionId": "another"}
    assert refused(put, **other, status="Succeeded") == "InvalidLifecycleEventHookExecutionIdException"
    answer = put(**given, status="Succeeded")
    assert answer["lifecycleEventHookExecutionId"] == given["lifecycleEventHookExecutionId"]
    for status in ("Succeeded", "Failed"):
        assert refused(put, **given, status=status) == "LifecycleEventAlreadyCompletedException"
    assert world.ended(made)["status"] == "Succeeded"
    assert refused(put, **given, status="Succeeded") == "LifecycleEventAlreadyCompletedException"


def execution_of(world: AwsWorld, made: str) -> str:
    """The ID that the hook function was given, and has logged."""
    given = re.compile(r'"LifecycleEventHookExecutionId": "([^"]+)"')
    world.until(lambda: given.search(world.log(made)))
    return given.findall(world.log(made))[0]


def refused(call: Any, **parameters: Any) -> str:
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    raise AssertionError("the call was not refused")


def test_hooks_call_back_with_boto3_around_the_shift(world: AwsWorld):
    make_function(world.aws, "before", HOOK, variables=world.variables)
    make_function(world.aws, "after", HOOK, variables={**world.variables, "RAISES": "what it returns means nothing"})
    hooks = {"BeforeAllowTraffic": "before", "AfterAllowTraffic": "after"}
    made = world.deploy(world.group(), function_appspec(**hooks))
    assert world.ended(made)["status"] == "Succeeded"
    assert {each["status"] for each in world.events(made).values()} == {"Succeeded"}
    assert world.alias() == {"2": 1.0}


def test_a_hook_that_fails_afterwards_takes_the_traffic_back(world: AwsWorld):
    make_function(world.aws, "after", HOOK, variables={**world.variables, "STATUS": "Failed"})
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    place = world.group(autoRollbackConfiguration=rollback)
    told = world.ended(world.deploy(place, function_appspec(AfterAllowTraffic="after")))
    assert (told["status"], told["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    back = world.ended(told["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["creator"], back["status"]) == ("codeDeployRollback", "Succeeded")
    assert world.alias() == {"1": 1.0}


def test_statement_50_an_alarm_stops_and_does_not_roll_back_what_rolls_back_on_failure_alone(world: AwsWorld):
    alarms = {"enabled": True, "alarms": [{"name": "errors"}]}
    place = world.group(
        CANARY,
        alarmConfiguration=alarms,
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    )
    cloudwatch = world.aws.client("cloudwatch")
    make_alarm(world.aws, "errors")
    made = world.deploy(place, function_appspec())
    world.until(lambda: world.alias() == {"1": 0.9, "2": 0.1})
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    told = world.ended(made)
    assert (told["status"], told["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "errors" in told["errorInformation"]["message"]
    assert "rollbackInfo" not in told
    assert world.client.list_deployments(**place)["deployments"] == [made]
    assert world.alias() == {"1": 0.9, "2": 0.1}


def test_the_canary_of_a_service_is_seen_in_its_requests(bare: AwsWorld):
    service = EcsWorld(bare.aws)
    service.serve(desired=2)
    place = bare.group_of_service(service, "CodeDeployDefault.ECSCanary10Percent5Minutes", termination=30)
    revision = service_appspec(service.task_definition(image="web:2"), CONTAINER, PORT)
    with Load(service.open(service.listener), parallel=4) as load:
        made = bare.deploy(place, revision)
        bare.until(lambda: [each["trafficWeight"] for each in bare.target(made)["taskSetsInfo"]] == [90.0, 10.0])
        load.wait_for(8)  # those that were under way
        load.wait_for(600)
        assert load.share("web:2", last=600) == pytest.approx(0.1, abs=0.06)
        assert bare.get(made)["status"] == "InProgress"
        bare.later(minutes=5)
        bare.until(lambda: bare.get(made)["instanceTerminationWaitTimeStarted"])
        load.wait_for(108)
        assert load.share("web:2", last=100) == 1
        bare.later(minutes=30)
        assert bare.ended(made)["status"] == "Succeeded", bare.get(made)["errorInformation"]
        load.wait_for(50)
    assert load.failures == []
    bare.until(lambda: len(service.task_sets()) == 1)
