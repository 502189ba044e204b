"""Names with colons and slashes, and 10,000 of what ten would do: the exact exception, and nothing is left behind."""

from collections.abc import Iterator
from typing import Any

import pytest
from catalog_rig import ARN, ROLE, USER, Catalog, refused, serving

NAMES = ["a:b", "a/b", "a b", "é", "a\nb"]
TAGS = [{"Key": f"k{number}", "Value": "v"} for number in range(10_000)]
FILTERS = [{**tag, "Type": "KEY_AND_VALUE"} for tag in TAGS]
GROUP = {"applicationName": "shop", "deploymentGroupName": "production", "serviceRoleArn": ROLE}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with serving(tmp_path_factory.mktemp("bad")) as made:
        made.application()
        made.client.register_on_premises_instance(instanceName="web-1", iamUserArn=f"{USER}web-1")
        yield made


def everything_there(server: Catalog) -> list[Any]:
    ask = server.client
    return [
        ask.list_applications()["applications"],
        ask.list_deployment_groups(applicationName="shop")["deploymentGroups"],
        [name for name in ask.list_deployment_configs()["deploymentConfigsList"] if not name.startswith("CodeDeploy")],
        [each["tags"] for each in ask.batch_get_on_premises_instances(instanceNames=["web-1"])["instanceInfos"]],
        ask.list_on_premises_instances()["instanceNames"],
        ask.list_tags_for_resource(ResourceArn=f"{ARN}application:shop")["Tags"],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_names_with_colons_slashes_and_the_like_have_their_exceptions(server: Catalog, name: str) -> None:
    ask, before = server.client, everything_there(server)
    healthy = {"type": "HOST_COUNT", "value": 1}
    refused("InvalidApplicationName", ask.create_application, applicationName=name)
    refused("InvalidApplicationName", ask.get_application, applicationName=name)
    refused("InvalidApplicationName", ask.update_application, applicationName="shop", newApplicationName=name)
    refused(
        "InvalidDeploymentConfigName",
        ask.create_deployment_config,
        deploymentConfigName=name,
        minimumHealthyHosts=healthy,
    )
    refused("InvalidDeploymentGroupName", ask.create_deployment_group, **{**GROUP, "deploymentGroupName": name})
    refused("InvalidInstanceName", ask.register_on_premises_instance, instanceName=name, iamUserArn=f"{USER}another")
    assert everything_there(server) == before


@pytest.mark.parametrize(
    ("code", "operation", "arguments"),
    [
        ("InvalidTagsToAdd", "create_application", {"applicationName": "other", "tags": TAGS}),
        ("InvalidTagsToAdd", "create_deployment_group", {**GROUP, "tags": TAGS}),
        ("InvalidTagsToAdd", "tag_resource", {"ResourceArn": f"{ARN}application:shop", "Tags": TAGS}),
        ("InvalidTag", "create_deployment_group", {**GROUP, "onPremisesInstanceTagFilters": FILTERS}),
        ("InvalidEC2Tag", "create_deployment_group", {**GROUP, "ec2TagFilters": FILTERS}),
        (
            "TagSetListLimitExceeded",
            "create_deployment_group",
            {**GROUP, "onPremisesTagSet": {"onPremisesTagSetList": [[each] for each in FILTERS]}},
        ),
        ("TagLimitExceeded", "add_tags_to_on_premises_instances", {"instanceNames": ["web-1"], "tags": TAGS}),
        (
            "InstanceLimitExceeded",
            "add_tags_to_on_premises_instances",
            {"instanceNames": [f"i{number}" for number in range(10_000)], "tags": TAGS[:1]},
        ),
    ],
)
def test_ten_thousand_tags_are_refused_whole(
    server: Catalog, code: str, operation: str, arguments: dict[str, Any]
) -> None:
    before = everything_there(server)
    refused(code, getattr(server.client, operation), **arguments)
    assert everything_there(server) == before
