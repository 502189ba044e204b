"""Deployment groups of EC2 instances: what of them reaches deployments, and a manifest's in the API's shape."""

from typing import Any

import pytest
from catalog_rig import Catalog
from store_cases import group, manifest
from traffic_shapes import ROLE

from runner.api.codedeploy.arns import Arns
from runner.api.codedeploy.group_translated import translated
from runner.model.aws import AwsPlace
from runner.model.ec2 import Ec2Targets
from runner.model.manifest import GroupSettings
from runner.model.tags import TagFilter
from runner.model.traffic import Backend, LoadBalancing

HERE = AwsPlace(region="us-east-1", role=ROLE)
WEB, BLUE, ANY = TagFilter(key="app", value="web"), TagFilter(key="blue"), TagFilter(value="web")
FILTERS = [
    {"Key": "app", "Value": "web", "Type": "KEY_AND_VALUE"},
    {"Key": "blue", "Type": "KEY_ONLY"},
    {"Value": "web", "Type": "VALUE_ONLY"},
]
CONTROLLED = {
    "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "loadBalancerInfo": {"targetGroupInfoList": [{"name": "web"}], "elbInfoList": [{"name": "old"}]},
}


def made(server: Catalog, **settings: Any) -> GroupSettings:
    server.application()
    server.group(serviceRoleArn=ROLE, **settings)
    return server.store.catalog.groups.get("shop", "production").settings


@pytest.mark.parametrize(
    ("told", "tag_set"),
    [
        ({"ec2TagFilters": FILTERS}, ((WEB, BLUE, ANY),)),
        ({"ec2TagSet": {"ec2TagSetList": [FILTERS[:2], FILTERS[2:]]}}, ((WEB, BLUE), (ANY,))),
    ],
)
def test_tags_in_ec2_and_auto_scaling_groups_reach_deployments(
    server: Catalog, told: dict[str, Any], tag_set: Any
) -> None:
    settings = made(server, **told, autoScalingGroups=["one", "two"], onPremisesInstanceTagFilters=FILTERS[:1])
    assert settings.ec2 == Ec2Targets(tag_set=tag_set, auto_scaling_groups=("one", "two"))
    assert settings.tag_set == ((WEB,),)
    assert settings.place == HERE
    assert settings.load_balancer is None


def test_processes_to_suspend_reach_deployments_for_which_nothing_else_is_said(server: Catalog) -> None:
    options = {"autoScalingGroupProcessesToSuspend": ["AZRebalance"]}
    settings = made(server, autoScalingGroups=["one"], ec2DeploymentOptions=options)
    assert settings.ec2 == Ec2Targets(auto_scaling_groups=("one",), suspended=("AZRebalance",))


def test_load_balancers_reach_deployments_where_traffic_is_controlled(server: Catalog) -> None:
    settings = made(server, ec2TagFilters=FILTERS[:1], **CONTROLLED)
    assert settings.load_balancer == LoadBalancing(target_groups=("web",), classic=("old",), place=HERE)


def test_load_balancers_that_are_only_kept_do_not(server: Catalog) -> None:
    assert made(server, loadBalancerInfo=CONTROLLED["loadBalancerInfo"]).load_balancer is None


def test_a_group_that_loses_its_instances_has_none(server: Catalog) -> None:
    made(server, ec2TagFilters=FILTERS[:1], autoScalingGroups=["one"])
    server.client.update_deployment_group(
        applicationName="shop", currentDeploymentGroupName="production", ec2TagFilters=[], autoScalingGroups=[]
    )
    assert not server.store.catalog.groups.get("shop", "production").settings.ec2


def test_the_group_of_a_manifest_for_instances_is_translated(server: Catalog) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/api/0123456789abcdef"
    settings = group(
        "live",
        tags={},
        ec2=Ec2Targets(tag_set=((WEB,),), auto_scaling_groups=("one",)),
        termination_hook=True,
        load_balancer=LoadBalancing(
            haproxy=(Backend(load_balancer="edge", name="app"),), target_groups=("web", arn), classic=("old",)
        ),
    )
    server.push("a", manifest(settings))
    info = server.info("live")
    assert info["ec2TagSet"] == {"ec2TagSetList": [[FILTERS[0]]]}
    assert [each["name"] for each in info["autoScalingGroups"]] == ["one"]
    assert info["terminationHookEnabled"] is True
    assert info["loadBalancerInfo"] == {
        "targetGroupInfoList": [{"name": "edge/app"}, {"name": "web"}, {"name": "api"}],
        "elbInfoList": [{"name": "old"}],
    }
    assert "onPremisesTagSet" not in info
    assert translated(settings)["deploymentStyle"] == CONTROLLED["deploymentStyle"]


def test_a_target_has_the_arn_of_its_instance_where_it_is_one() -> None:
    arns = Arns("us-east-1", "000000000000")
    role = AwsPlace(region="eu-west-1", role="arn:aws:iam::111122223333:role/deploys")
    assert arns.target("i-0123456789abcdef0", role) == (
        "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0"
    )
    assert arns.target("i-01234567", AwsPlace()) == "arn:aws:ec2:us-east-1:000000000000:instance/i-01234567"
    assert arns.target("i-am-no-instance", role) == arns.instance("i-am-no-instance")
