"""Deployment groups for Lambda and ECS: what of them reaches deployments, what is wrong with one, a manifest's."""

import datetime as dt
from typing import Any

import pytest
from catalog_rig import Catalog, refused
from store_cases import group, manifest
from traffic_shapes import LISTENER, PAIR, ROLE, TEST_LISTENER, service_group

from runner.model.aws import AwsPlace
from runner.model.checks import Alarms
from runner.model.manifest import BlueGreen, GroupSettings
from runner.model.rollout import HoldStep, RetireStep, Rollout, ShiftStep
from runner.model.services import Route, ServiceSettings

MINUTE = dt.timedelta(minutes=1)


def settings_of(server: Catalog) -> GroupSettings:
    return server.store.catalog.groups.get("shop", "production").settings


def test_what_a_group_for_ecs_says_reaches_its_deployments(server: Catalog) -> None:
    server.application(computePlatform="ECS")
    given = service_group(ready=30, termination=5, deploymentConfigName="CodeDeployDefault.ECSCanary10Percent5Minutes")
    server.group(**given)
    settings = settings_of(server)
    assert settings.platform == "ECS"
    assert settings.place == AwsPlace(region="us-east-1", role=ROLE)
    assert settings.service == ServiceSettings(
        cluster="main",
        name="web",
        routes=(Route(listener=LISTENER, test_listener=TEST_LISTENER, target_groups=("blue", "green")),),
    )
    assert settings.blue_green == BlueGreen(ready_wait=30 * MINUTE, termination_wait=5 * MINUTE)
    assert settings.rollout.steps == (ShiftStep(percent=10), HoldStep(duration=5 * MINUTE), ShiftStep(percent=100))
    assert {name: server.info()[name] for name in given} == given


def test_what_a_group_for_lambda_says_reaches_its_deployments(server: Catalog) -> None:
    server.application(computePlatform="Lambda")
    alarms = {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "errors"}, {"name": "slow"}]}
    events = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
    server.group(
        serviceRoleArn=ROLE,
        alarmConfiguration=alarms,
        autoRollbackConfiguration={"enabled": True, "events": events},
        deploymentConfigName="CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
    )
    settings = settings_of(server)
    assert (settings.platform, settings.service) == ("Lambda", None)
    assert settings.place == AwsPlace(region="us-east-1", role=ROLE)
    assert settings.alarms == Alarms(names=("errors", "slow"), ignore_poll_failure=True)
    assert settings.rollback_on == tuple(events)
    assert settings.rollout.steps == (ShiftStep(percent=10, every=MINUTE),)


def test_alarms_that_are_not_enabled_are_kept_and_watched_by_nobody(server: Catalog) -> None:
    server.application()
    off = {"enabled": False, "alarms": [{"name": "errors"}]}
    server.group(alarmConfiguration=off)
    assert server.info()["alarmConfiguration"] == off
    assert settings_of(server).alarms is None
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    server.client.update_deployment_group(**update, alarmConfiguration={**off, "enabled": True})
    assert settings_of(server).alarms == Alarms(names=("errors",))


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        ({"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0}, None),
        ({"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 7200}, 7200),
        ({"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 0}, 7200),
        ({"actionOnTimeout": "STOP_DEPLOYMENT"}, 7200),
        ({}, None),
    ],
)
def test_who_waits_for_somebody_waits_some_time(server: Catalog, ready: dict[str, Any], expected: int | None) -> None:
    server.application(computePlatform="ECS")
    given = service_group()
    given["blueGreenDeploymentConfiguration"]["deploymentReadyOption"] = ready
    server.group(**given)
    assert settings_of(server).blue_green.ready_wait == (None if expected is None else expected * MINUTE)
    told = server.info()["blueGreenDeploymentConfiguration"]
    action = "CONTINUE_DEPLOYMENT" if expected is None else "STOP_DEPLOYMENT"
    assert told["deploymentReadyOption"] == {"actionOnTimeout": action, "waitTimeInMinutes": expected or 0}


def test_waits_that_were_left_out_are_told_as_they_are(server: Catalog) -> None:
    """`aws ecs deploy` adds them up."""
    server.application(computePlatform="ECS")
    bare = {"terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE"}}
    server.group(**service_group(blueGreenDeploymentConfiguration=bare))
    assert server.info()["blueGreenDeploymentConfiguration"] == {
        "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0},
    }


@pytest.mark.parametrize(
    ("code", "pair", "word"),
    [
        ("InvalidTargetGroupPair", {"prodTrafficRoute": {"listenerArns": []}}, "prodTrafficRoute"),
        ("InvalidTargetGroupPair", {"prodTrafficRoute": {"listenerArns": [LISTENER, TEST_LISTENER]}}, "one listener"),
        ("InvalidTargetGroupPair", {"prodTrafficRoute": {"listenerArns": ["web"]}}, "'web'"),
        ("InvalidTargetGroupPair", {"testTrafficRoute": {"listenerArns": [LISTENER]}}, "testTrafficRoute"),
        ("InvalidTargetGroupPair", {"targetGroups": [{"name": "blue"}, {"name": "blue"}]}, "different"),
        ("InvalidTargetGroupPair", {"targetGroups": [{"name": "blue"}, {}]}, "name"),
    ],
)
def test_a_pair_that_cannot_work_is_refused(shared: Catalog, code: str, pair: dict[str, Any], word: str) -> None:
    given = service_group(loadBalancerInfo={"targetGroupPairInfoList": [{**PAIR, **pair}]})
    names = {"applicationName": "containers", "deploymentGroupName": "second"}
    assert word in refused(code, shared.client.create_deployment_group, **names, **given)


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("InvalidLoadBalancerInfo", {"loadBalancerInfo": {"targetGroupInfoList": [{"name": "blue"}]}}),
        ("InvalidBlueGreenDeploymentConfiguration", service_group(ready=7201)),
        ("InvalidDeploymentConfigName", {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}),
    ],
)
def test_a_group_for_ecs_that_cannot_work_is_refused(shared: Catalog, code: str, members: dict[str, Any]) -> None:
    names = {"applicationName": "containers", "deploymentGroupName": "second"}
    refused(code, shared.client.create_deployment_group, **names, **{**service_group(), **members})


def test_a_service_belongs_to_one_group(server: Catalog) -> None:
    server.application(computePlatform="ECS")
    server.application("other", computePlatform="ECS")
    server.group(**service_group())
    create, update = server.client.create_deployment_group, server.client.update_deployment_group
    names = {"applicationName": "other", "deploymentGroupName": "production"}
    refused("ECSServiceMappingLimitExceeded", create, **names, **service_group())
    refused("DeploymentGroupAlreadyExists", create, **{**names, "applicationName": "shop"}, **service_group())
    server.group(application="other", **service_group(ecsServices=[{"serviceName": "api", "clusterName": "main"}]))
    other = {"applicationName": "other", "currentDeploymentGroupName": "production"}
    refused("ECSServiceMappingLimitExceeded", update, **other, ecsServices=service_group()["ecsServices"])
    update(applicationName="shop", currentDeploymentGroupName="production", newDeploymentGroupName="live")


def test_a_rule_of_a_listener_is_a_route_too(server: Catalog) -> None:
    server.application(computePlatform="ECS")
    rule = LISTENER.replace(":listener/", ":listener-rule/") + "/7"
    pair = {**PAIR, "prodTrafficRoute": {"listenerArns": [rule]}}
    server.group(**service_group(loadBalancerInfo={"targetGroupPairInfoList": [pair]}))
    service = settings_of(server).service
    assert service is not None
    assert service.routes[0].listener == rule


def test_the_group_of_a_manifest_for_ecs_is_translated(server: Catalog) -> None:
    groups = (f"{LISTENER.replace(':listener/app/web/1/80', '')}:targetgroup/blue/73e2", "green")
    routes = (
        Route(listener=LISTENER, test_listener=TEST_LISTENER, target_groups=groups),
        Route(listener=TEST_LISTENER),
    )
    steps = (ShiftStep(percent=100), RetireStep(after=dt.timedelta(minutes=90)))
    settings = group(
        "production",
        tags={},
        platform="ECS",
        place=AwsPlace(region="eu-west-1", role=ROLE),
        service=ServiceSettings(cluster="main", name="web", routes=routes),
        rollout=Rollout(name="careful", steps=steps),
        alarms=Alarms(names=("errors",)),
    )
    server.push("a", manifest(settings, platform="ECS"))
    info = server.info()
    assert info["computePlatform"] == "ECS"
    assert info["serviceRoleArn"] == ROLE
    assert info["ecsServices"] == [{"serviceName": "web", "clusterName": "main"}]
    assert info["loadBalancerInfo"]["targetGroupPairInfoList"] == [
        PAIR,
        {"targetGroups": [], "prodTrafficRoute": {"listenerArns": [TEST_LISTENER]}},
    ]
    assert info["blueGreenDeploymentConfiguration"] == {
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 90},
        "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
    }
    assert info["alarmConfiguration"] == {
        "enabled": True,
        "ignorePollAlarmFailure": False,
        "alarms": [{"name": "errors"}],
    }
    assert info["onPremisesInstanceTagFilters"] == []
    server.application("other", computePlatform="ECS")
    names = {"applicationName": "other", "deploymentGroupName": "production"}
    refused("ECSServiceMappingLimitExceeded", server.client.create_deployment_group, **names, **service_group())


def test_the_group_of_a_manifest_for_lambda_is_translated(server: Catalog) -> None:
    server.push("a", manifest(group("production", tags={}, platform="Lambda"), platform="Lambda"))
    info = server.info()
    assert info["deploymentStyle"] == {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
    for absent in ("serviceRoleArn", "ecsServices", "loadBalancerInfo", "blueGreenDeploymentConfiguration"):
        assert absent not in info
