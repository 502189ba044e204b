"""Deployment groups through boto3: made, given back, checked, updated, deleted."""

from typing import Any

import pytest
from catalog_rig import ROLE, Catalog, refused
from store_cases import group, manifest

from runner.model.application import Group
from runner.model.manifest import Trigger
from runner.model.rollout import MinimumHealthyHosts
from runner.model.tags import TagFilter
from runner.model.traffic import Backend, LoadBalancing

TOPIC = "arn:aws:sns:eu-central-1:123456789012:releases"
SHIFTED = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
PAIR = {
    "targetGroups": [{"name": "blue"}, {"name": "green"}],
    "prodTrafficRoute": {"listenerArns": ["arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/x/1/2"]},
}
ECS: dict[str, Any] = {
    "deploymentStyle": SHIFTED,
    "loadBalancerInfo": {"targetGroupPairInfoList": [PAIR]},
    "blueGreenDeploymentConfiguration": {
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5},
        "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0},
    },
    "ecsServices": [{"serviceName": "web", "clusterName": "main"}],
}


def on_premises(key: str, value: str = "", kind: str = "KEY_AND_VALUE") -> dict[str, str]:
    return {"Key": key, "Value": value, "Type": kind}


def test_a_group_has_the_documented_defaults(server: Catalog) -> None:
    server.application()
    made = server.group()
    assert server.info() == {
        "applicationName": "shop",
        "deploymentGroupId": made,
        "deploymentGroupName": "production",
        "deploymentConfigName": "CodeDeployDefault.OneAtATime",
        "computePlatform": "Server",
        "serviceRoleArn": ROLE,
        "autoScalingGroups": [],
        "triggerConfigurations": [],
        "ec2TagFilters": [],
        "onPremisesInstanceTagFilters": [],
        "outdatedInstancesStrategy": "UPDATE",
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "terminationHookEnabled": False,
    }


def test_a_group_is_given_back_as_it_was_given(server: Catalog) -> None:
    server.application()
    given: dict[str, Any] = {
        "deploymentConfigName": "CodeDeployDefault.HalfAtATime",
        "ec2TagSet": {"ec2TagSetList": [[on_premises("a", "b")], [on_premises("c", kind="KEY_ONLY")]]},
        "onPremisesTagSet": {"onPremisesTagSetList": [[on_premises("a", "b")]]},
        "triggerConfigurations": [
            {"triggerName": "tell", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentFailure"]}
        ],
        "alarmConfiguration": {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "errors"}]},
        "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]},
        "outdatedInstancesStrategy": "IGNORE",
        "deploymentStyle": SHIFTED,
        "blueGreenDeploymentConfiguration": {
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"},
            "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60},
            "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
        },
        "loadBalancerInfo": {"targetGroupInfoList": [{"name": "web"}]},
        "terminationHookEnabled": True,
    }
    server.group(**given, autoScalingGroups=["fleet"])
    info = server.info()
    assert {name: info[name] for name in given} == given
    assert info["autoScalingGroups"] == [{"name": "fleet"}]
    assert "ec2TagFilters" not in info
    assert "onPremisesInstanceTagFilters" not in info


def test_a_flat_list_of_tags_is_one_group_of_a_set(server: Catalog) -> None:
    server.application()
    filters = [on_premises("a", "1"), on_premises("b", kind="KEY_ONLY"), {"Value": "3", "Type": "VALUE_ONLY"}]
    server.group("flat", onPremisesInstanceTagFilters=filters)
    server.group("set", onPremisesTagSet={"onPremisesTagSetList": [filters[:1], filters[1:]]})
    flat, whole = (server.store.catalog.groups.get("shop", name).settings.tag_set for name in ("flat", "set"))
    one, two, three = TagFilter(key="a", value="1"), TagFilter(key="b"), TagFilter(value="3")
    assert flat == ((one, two, three),)
    assert whole == ((one,), (two, three))


def test_what_a_group_says_reaches_its_deployments(server: Catalog) -> None:
    server.application()
    server.client.create_deployment_config(
        deploymentConfigName="most", minimumHealthyHosts={"type": "FLEET_PERCENT", "value": 75}
    )
    trigger = {"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentStart"]}
    server.group(
        deploymentConfigName="most",
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        triggerConfigurations=[trigger],
    )
    settings = server.store.catalog.groups.get("shop", "production").settings
    assert settings.rollout.minimum_healthy == MinimumHealthyHosts(type="FLEET_PERCENT", value=75)
    assert settings.rollback_on == ("DEPLOYMENT_FAILURE",)
    assert settings.triggers == (Trigger(name="t", to=f"sns:{TOPIC}", on=("DeploymentStart",)),)


def test_rollback_that_is_not_enabled_is_kept_and_does_nothing(server: Catalog) -> None:
    server.application()
    off = {"enabled": False, "events": ["DEPLOYMENT_FAILURE"]}
    server.group(autoRollbackConfiguration=off)
    assert server.info()["autoRollbackConfiguration"] == off
    assert server.store.catalog.groups.get("shop", "production").settings.rollback_on == ()


def test_the_group_of_a_manifest_is_translated(server: Catalog) -> None:
    settings = group(
        "staging",
        tags={"stage": ("a", "b"), "role": ("web",)},
        rollback_on=("DEPLOYMENT_FAILURE",),
        triggers=(
            Trigger(to=f"sns:{TOPIC}", on=("DeploymentStart",)),
            Trigger(to="webhook:chat", on=("DeploymentStop",)),
        ),
        load_balancer=LoadBalancing(haproxy=(Backend(load_balancer="edge", name="web"),)),
    )
    (deployment,) = server.push("a", manifest(settings))
    server.settle()
    info = server.info("staging")
    assert info["deploymentConfigName"] == "CodeDeployDefault.AllAtOnce"
    assert info["onPremisesTagSet"]["onPremisesTagSetList"] == [
        [on_premises("role", "web")],
        [on_premises("stage", "a"), on_premises("stage", "b")],
    ]
    assert info["autoRollbackConfiguration"] == {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    assert [(t["triggerName"], t["triggerTargetArn"]) for t in info["triggerConfigurations"]] == [
        ("releases", TOPIC),
        ("chat", "webhook:chat"),
    ]
    assert info["deploymentStyle"]["deploymentOption"] == "WITH_TRAFFIC_CONTROL"
    assert info["targetRevision"]["gitHubLocation"] == {"repository": "shop", "commitId": "a" * 40}
    for last in (info["lastSuccessfulDeployment"], info["lastAttemptedDeployment"]):
        assert (last["deploymentId"], last["status"]) == (deployment, "Succeeded")
        assert last["createTime"] <= last["endTime"]


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("InvalidEC2Tag", {"ec2TagFilters": [{"Type": "KEY_ONLY"}]}),
        ("InvalidEC2Tag", {"ec2TagFilters": [on_premises(f"k{n}") for n in range(11)]}),
        ("InvalidEC2Tag", {"ec2TagSet": {"ec2TagSetList": [[{"Key": "a", "Type": "KEY_AND_VALUE"}]]}}),
        ("InvalidEC2Tag", {"ec2TagFilters": [{"Key": "a", "Type": "SOMEHOW"}]}),
        ("InvalidTag", {"onPremisesInstanceTagFilters": [{"Type": "VALUE_ONLY"}]}),
        ("InvalidTag", {"onPremisesInstanceTagFilters": [on_premises("k" * 129)]}),
        ("TagSetListLimitExceeded", {"onPremisesTagSet": {"onPremisesTagSetList": [[on_premises("a")]] * 4}}),
        ("TagSetListLimitExceeded", {"ec2TagSet": {"ec2TagSetList": [[on_premises("a")]] * 4}}),
        (
            "InvalidOnPremisesTagCombination",
            {
                "onPremisesInstanceTagFilters": [on_premises("a")],
                "onPremisesTagSet": {"onPremisesTagSetList": [[on_premises("a")]]},
            },
        ),
        ("InvalidAutoScalingGroup", {"autoScalingGroups": [f"g{n}" for n in range(11)]}),
        ("InvalidAutoScalingGroup", {"autoScalingGroups": [""]}),
        ("InvalidRole", {"serviceRoleArn": "arn:aws:iam::123456789012:user/me"}),
        ("RoleRequired", {"serviceRoleArn": ""}),
        ("DeploymentConfigDoesNotExist", {"deploymentConfigName": "nobody"}),
        ("InvalidDeploymentConfigName", {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}),
        ("InvalidTriggerConfig", {"triggerConfigurations": [{"triggerName": "t", "triggerTargetArn": TOPIC}]}),
        (
            "InvalidTriggerConfig",
            {
                "triggerConfigurations": [
                    {"triggerName": "t", "triggerTargetArn": "x", "triggerEvents": ["DeploymentStop"]}
                ]
            },
        ),
        (
            "InvalidTriggerConfig",
            {"triggerConfigurations": [{"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["Monday"]}]},
        ),
        (
            "TriggerTargetsLimitExceeded",
            {
                "triggerConfigurations": [
                    {"triggerName": f"t{n}", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentStop"]}
                    for n in range(11)
                ]
            },
        ),
        ("InvalidAlarmConfig", {"alarmConfiguration": {"enabled": True, "alarms": []}}),
        ("InvalidAlarmConfig", {"alarmConfiguration": {"alarms": [{"name": ""}]}}),
        ("InvalidAlarmConfig", {"alarmConfiguration": {"alarms": [{"name": "a"}, {"name": "a"}]}}),
        ("InvalidAlarmConfig", {"alarmConfiguration": {"alarms": [{"name": "a" * 256}]}}),
        ("AlarmsLimitExceeded", {"alarmConfiguration": {"alarms": [{"name": f"a{n}"} for n in range(11)]}}),
        ("InvalidAutoRollbackConfig", {"autoRollbackConfiguration": {"enabled": True}}),
        ("InvalidAutoRollbackConfig", {"autoRollbackConfiguration": {"enabled": True, "events": ["MONDAY"]}}),
        ("InvalidDeploymentStyle", {"deploymentStyle": {"deploymentType": "IN_PLACE"}}),
        (
            "InvalidLoadBalancerInfo",
            {"deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}},
        ),
        ("InvalidLoadBalancerInfo", {"loadBalancerInfo": {"elbInfoList": [{"name": f"e{n}"} for n in range(11)]}}),
        ("InvalidTargetGroupPair", {"loadBalancerInfo": {"targetGroupPairInfoList": [PAIR, PAIR]}}),
        (
            "InvalidBlueGreenDeploymentConfiguration",
            {
                "blueGreenDeploymentConfiguration": {
                    "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"}
                },
                "autoScalingGroups": ["a", "b"],
            },
        ),
        (
            "InvalidBlueGreenDeploymentConfiguration",
            {
                "blueGreenDeploymentConfiguration": {
                    "terminateBlueInstancesOnDeploymentSuccess": {"terminationWaitTimeInMinutes": 2881}
                }
            },
        ),
        ("InvalidECSService", {"ecsServices": [{"serviceName": "web", "clusterName": "main"}]}),
        (
            "InvalidAutoScalingGroupProcessToSuspend",
            {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate", "Terminate"]}},
        ),
        ("InvalidTagsToAdd", {"tags": [{"Key": "aws:x", "Value": "y"}]}),
        ("InvalidTagsToAdd", {"tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}),
        ("InvalidTagsToAdd", {"tags": [{"Key": f"k{n}", "Value": ""} for n in range(10_000)]}),
        ("ApplicationDoesNotExist", {"applicationName": "nobody"}),
        ("InvalidDeploymentGroupName", {"deploymentGroupName": "a:b/c"}),
    ],
)
def test_what_is_wrong_with_a_group_has_its_exception(shared: Catalog, code: str, members: dict[str, Any]) -> None:
    given = {"applicationName": "shop", "deploymentGroupName": "production", "serviceRoleArn": ROLE, **members}
    assert refused(code, shared.client.create_deployment_group, **given)
    assert shared.client.list_deployment_groups(applicationName="shop")["deploymentGroups"] == []


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("InvalidDeploymentStyle", {"deploymentStyle": None}),
        ("InvalidDeploymentStyle", {"deploymentStyle": {**SHIFTED, "deploymentType": "IN_PLACE"}}),
        ("InvalidLoadBalancerInfo", {"loadBalancerInfo": None}),
        ("InvalidLoadBalancerInfo", {"loadBalancerInfo": {"elbInfoList": [{"name": "classic"}]}}),
        (
            "InvalidTargetGroupPair",
            {"loadBalancerInfo": {"targetGroupPairInfoList": [{**PAIR, "targetGroups": [{"name": "blue"}]}]}},
        ),
        ("InvalidBlueGreenDeploymentConfiguration", {"blueGreenDeploymentConfiguration": None}),
        (
            "InvalidBlueGreenDeploymentConfiguration",
            {
                "blueGreenDeploymentConfiguration": {
                    "terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"}
                }
            },
        ),
        ("InvalidECSService", {"ecsServices": None}),
        ("InvalidECSService", {"ecsServices": ECS["ecsServices"] * 2}),
        ("InvalidAutoScalingGroup", {"autoScalingGroups": ["fleet"]}),
        ("InvalidEC2Tag", {"ec2TagFilters": [on_premises("a")]}),
        ("ECSServiceMappingLimitExceeded", {}),
    ],
)
def test_a_group_for_ecs_has_what_ecs_needs(shared: Catalog, code: str, members: dict[str, Any]) -> None:
    if not shared.client.list_deployment_groups(applicationName="containers")["deploymentGroups"]:
        shared.group("first", "containers", **ECS)
    given = {name: value for name, value in (ECS | members).items() if value is not None}
    with_names = {"applicationName": "containers", "deploymentGroupName": "second", "serviceRoleArn": ROLE}
    refused(code, shared.client.create_deployment_group, **with_names, **given)
    info = shared.info("first", "containers")
    assert (info["computePlatform"], info["deploymentConfigName"]) == ("ECS", "CodeDeployDefault.ECSAllAtOnce")


def test_a_group_for_lambda_shifts_traffic(server: Catalog) -> None:
    server.application(computePlatform="Lambda")
    server.group()
    info = server.info()
    assert info["deploymentStyle"] == SHIFTED
    assert info["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    in_place = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
    with_names = {"applicationName": "shop", "deploymentGroupName": "second", "serviceRoleArn": ROLE}
    refused("InvalidDeploymentStyle", server.client.create_deployment_group, **with_names, deploymentStyle=in_place)


def test_an_update_replaces_what_it_gives_and_keeps_the_rest(server: Catalog) -> None:
    server.application()
    trigger = {"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentStart"]}
    made = server.group(triggerConfigurations=[trigger], onPremisesInstanceTagFilters=[on_premises("a", "1")])
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    server.client.update_deployment_group(**update, deploymentConfigName="CodeDeployDefault.AllAtOnce")
    info = server.info()
    assert (info["deploymentGroupId"], info["deploymentConfigName"]) == (made, "CodeDeployDefault.AllAtOnce")
    assert info["triggerConfigurations"] == [trigger]
    assert info["onPremisesInstanceTagFilters"] == [on_premises("a", "1")]
    server.client.update_deployment_group(**update, triggerConfigurations=[])
    assert server.info()["triggerConfigurations"] == []
    assert server.store.catalog.groups.get("shop", "production").settings.triggers == ()


def test_one_form_of_tags_replaces_the_other(server: Catalog) -> None:
    server.application()
    server.group(onPremisesInstanceTagFilters=[on_premises("a", "1")])
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    whole = {"onPremisesTagSetList": [[on_premises("b", "2")]]}
    server.client.update_deployment_group(**update, onPremisesInstanceTagFilters=[], onPremisesTagSet=whole)
    info = server.info()
    assert info["onPremisesTagSet"] == whole
    assert "onPremisesInstanceTagFilters" not in info
    server.client.update_deployment_group(**update, onPremisesTagSet={"onPremisesTagSetList": []})
    assert server.info()["onPremisesInstanceTagFilters"] == []
    assert server.store.catalog.groups.get("shop", "production").settings.tag_set == ()


def test_an_update_is_checked_as_a_whole(server: Catalog) -> None:
    server.application(computePlatform="ECS")
    server.group(**ECS)
    before = server.info()
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    call = server.client.update_deployment_group
    refused("InvalidECSService", call, **update, ecsServices=[])
    refused("DeploymentConfigDoesNotExist", call, **update, deploymentConfigName="nobody")
    refused("InvalidRole", call, **update, serviceRoleArn="")
    refused("InvalidAlarmConfig", call, **{**update, "applicationName": "nobody"}, alarmConfiguration={"enabled": True})
    refused("DeploymentGroupDoesNotExist", call, **{**update, "currentDeploymentGroupName": "nobody"})
    assert server.info() == before


def test_a_group_is_renamed_and_stays_itself(server: Catalog) -> None:
    server.application()
    made = server.group()
    server.group("other")
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    call = server.client.update_deployment_group
    refused("DeploymentGroupAlreadyExists", call, **update, newDeploymentGroupName="other")
    call(**update, newDeploymentGroupName="live")
    assert server.info("live")["deploymentGroupId"] == made
    message = refused(
        "DeploymentGroupDoesNotExist",
        server.client.get_deployment_group,
        applicationName="shop",
        deploymentGroupName="production",
    )
    assert message == "No Deployment Group found for name: production"


def test_a_renamed_group_can_still_roll_back(server: Catalog) -> None:
    first = group("staging", rollback_on=("DEPLOYMENT_FAILURE",))
    server.push("a", manifest(first))
    server.settle()
    server.push("b", manifest(first))
    actions = server.step(server.step([]))  # under way on its hosts
    kept = server.store.catalog.groups.get("shop", "staging")
    server.store.catalog.groups.update(kept, group("live", rollback_on=("DEPLOYMENT_FAILURE",)))
    server.fails = lambda event: True
    actions = server.step(actions)
    server.fails = lambda event: False
    while actions:
        actions = server.step(actions)
    assert server.statuses() == {
        "live a CodeDeploy": "Succeeded",
        "live b CodeDeploy": "Failed",
        "live a codeDeployRollback": "Succeeded",
    }


def test_a_group_that_is_made_again_is_another(server: Catalog) -> None:
    server.application()
    made = server.group(tags=[{"Key": "a", "Value": "b"}])
    delete = {"applicationName": "shop", "deploymentGroupName": "production"}
    assert server.client.delete_deployment_group(**delete)["hooksNotCleanedUp"] == []
    assert server.client.delete_deployment_group(**delete)["hooksNotCleanedUp"] == []
    assert server.client.list_deployment_groups(applicationName="shop")["deploymentGroups"] == []
    refused("DeploymentGroupDoesNotExist", server.client.get_deployment_group, **delete)
    assert server.group() != made
    refused("DeploymentGroupAlreadyExists", server.group)


def test_the_deployments_of_a_deleted_group_stay_and_are_no_other_groups(server: Catalog) -> None:
    (deployment,) = server.push("a", manifest(group("staging")))
    kept = server.store.catalog.groups.get("shop", "staging")
    assert server.store.catalog.groups.unfinished(kept) == deployment
    server.settle()
    assert server.store.catalog.groups.unfinished(kept) is None
    server.store.catalog.groups.delete(kept, server.now)
    assert server.store.state().groups == ()
    assert server.store.deployment(deployment).group == "staging"
    assert server.store.deployments(application="shop", group="staging") == []
    assert server.store.bundles_in_use() == []
    server.push("b", manifest(group("staging")))
    server.settle()
    assert server.store.catalog.groups.get("shop", "staging").id != kept.id
    assert [each.revision.short[0] for each in server.store.deployments(group="staging")] == ["b"]


def test_groups_are_listed_in_pages(server: Catalog) -> None:
    server.application()
    server.application("other")
    server.group("elsewhere", application="other")
    with server.store._db.write():
        for each in _many(server, 101):
            server.store.catalog.groups.create(each)
    first = server.client.list_deployment_groups(applicationName="shop")
    assert first["applicationName"] == "shop"
    assert len(first["deploymentGroups"]) == 100
    second = server.client.list_deployment_groups(applicationName="shop", nextToken=first["nextToken"])
    assert second["deploymentGroups"] == ["g100"]
    token = first["nextToken"]
    refused("InvalidNextToken", server.client.list_deployment_groups, applicationName="other", nextToken=token)


def _many(server: Catalog, count: int) -> list[Group]:
    return [
        Group(
            id=f"id-{number}",
            application="shop",
            settings=group(f"g{number:03}"),
            platform="Server",
            created_at=server.now,
        )
        for number in range(count)
    ]
