"""Deployment configurations through boto3: the predefined ones, and those that are made."""

from typing import Any

import pytest
from catalog_rig import Catalog, refused

HALF = {"type": "FLEET_PERCENT", "value": 50}


def canary(percent: int, minutes: int) -> dict[str, Any]:
    return {
        "type": "TimeBasedCanary",
        "timeBasedCanary": {"canaryPercentage": percent, "canaryInterval": minutes},
    }


def linear(percent: int, minutes: int) -> dict[str, Any]:
    return {
        "type": "TimeBasedLinear",
        "timeBasedLinear": {"linearPercentage": percent, "linearInterval": minutes},
    }


def test_all_seventeen_predefined_configurations_are_there(shared: Catalog) -> None:
    names = shared.client.list_deployment_configs()["deploymentConfigsList"]
    assert len(names) == 17
    assert names == sorted(names)
    infos = [shared.client.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"] for name in names]
    assert len({info["deploymentConfigId"] for info in infos}) == 17
    assert all(("minimumHealthyHosts" in info) == (info["computePlatform"] == "Server") for info in infos)
    assert all(("trafficRoutingConfig" in info) == (info["computePlatform"] != "Server") for info in infos)


@pytest.mark.parametrize(
    ("name", "traffic"),
    [
        ("LambdaCanary10Percent30Minutes", canary(10, 30)),
        ("LambdaLinear10PercentEvery10Minutes", linear(10, 10)),
        ("ECSLinear10PercentEvery1Minutes", linear(10, 1)),
        ("ECSAllAtOnce", {"type": "AllAtOnce"}),
    ],
)
def test_a_predefined_configuration_shifts_traffic_as_its_name_says(
    shared: Catalog, name: str, traffic: dict[str, Any]
) -> None:
    got = shared.client.get_deployment_config(deploymentConfigName=f"CodeDeployDefault.{name}")
    assert got["deploymentConfigInfo"]["trafficRoutingConfig"] == traffic


def test_a_configuration_is_made_found_and_deleted(server: Catalog) -> None:
    zonal = {"monitorDurationInSeconds": 60, "minimumHealthyHostsPerZone": {"type": "HOST_COUNT", "value": 1}}
    made = server.client.create_deployment_config(
        deploymentConfigName="half", minimumHealthyHosts=HALF, zonalConfig=zonal
    )
    info = server.client.get_deployment_config(deploymentConfigName="half")["deploymentConfigInfo"]
    assert info.pop("createTime").tzinfo is not None
    assert info == {
        "deploymentConfigId": made["deploymentConfigId"],
        "deploymentConfigName": "half",
        "computePlatform": "Server",
        "minimumHealthyHosts": HALF,
        "zonalConfig": zonal,
    }
    refused(
        "DeploymentConfigAlreadyExists",
        server.client.create_deployment_config,
        deploymentConfigName="half",
        minimumHealthyHosts=HALF,
    )
    assert server.client.list_deployment_configs()["deploymentConfigsList"][-1] == "half"
    server.client.delete_deployment_config(deploymentConfigName="half")
    server.client.delete_deployment_config(deploymentConfigName="half")
    refused("DeploymentConfigDoesNotExist", server.client.get_deployment_config, deploymentConfigName="half")


@pytest.mark.parametrize("traffic", [canary(25, 2880), linear(30, 720), {"type": "AllAtOnce"}])
def test_a_configuration_for_traffic_is_given_back_as_given(server: Catalog, traffic: dict[str, Any]) -> None:
    given = {"deploymentConfigName": "slow", "computePlatform": "Lambda", "trafficRoutingConfig": traffic}
    server.client.create_deployment_config(**given)
    info = server.client.get_deployment_config(deploymentConfigName="slow")["deploymentConfigInfo"]
    assert (info["computePlatform"], info["trafficRoutingConfig"]) == ("Lambda", traffic)
    assert "minimumHealthyHosts" not in info


@pytest.mark.parametrize(
    ("code", "members"),
    [
        (
            "InvalidDeploymentConfigName",
            {"deploymentConfigName": "CodeDeployDefault.Mine", "minimumHealthyHosts": HALF},
        ),
        ("InvalidDeploymentConfigName", {"deploymentConfigName": "a:b", "minimumHealthyHosts": HALF}),
        ("InvalidMinimumHealthyHostValue", {}),
        ("InvalidMinimumHealthyHostValue", {"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 100}}),
        ("InvalidMinimumHealthyHostValue", {"minimumHealthyHosts": {"type": "HOST_COUNT", "value": -1}}),
        ("InvalidMinimumHealthyHostValue", {"minimumHealthyHosts": {"type": "HOST_COUNT"}}),
        (
            "InvalidMinimumHealthyHostValue",
            {"computePlatform": "ECS", "minimumHealthyHosts": HALF, "trafficRoutingConfig": canary(10, 5)},
        ),
        ("InvalidComputePlatform", {"computePlatform": "Mainframe", "minimumHealthyHosts": HALF}),
        ("InvalidTrafficRoutingConfiguration", {"minimumHealthyHosts": HALF, "trafficRoutingConfig": canary(10, 5)}),
        ("InvalidTrafficRoutingConfiguration", {"computePlatform": "Lambda"}),
        ("InvalidTrafficRoutingConfiguration", {"computePlatform": "Lambda", "trafficRoutingConfig": canary(100, 5)}),
        ("InvalidTrafficRoutingConfiguration", {"computePlatform": "Lambda", "trafficRoutingConfig": canary(10, 0)}),
        ("InvalidTrafficRoutingConfiguration", {"computePlatform": "Lambda", "trafficRoutingConfig": linear(25, 721)}),
        (
            "InvalidTrafficRoutingConfiguration",
            {"computePlatform": "ECS", "trafficRoutingConfig": {**linear(25, 5), "type": "TimeBasedCanary"}},
        ),
        (
            "InvalidTrafficRoutingConfiguration",
            {"computePlatform": "ECS", "trafficRoutingConfig": {**linear(25, 5), "type": "AllAtOnce"}},
        ),
        (
            "InvalidZonalDeploymentConfiguration",
            {"computePlatform": "ECS", "trafficRoutingConfig": linear(25, 5), "zonalConfig": {}},
        ),
        (
            "InvalidZonalDeploymentConfiguration",
            {"minimumHealthyHosts": HALF, "zonalConfig": {"monitorDurationInSeconds": -1}},
        ),
    ],
)
def test_what_is_wrong_with_a_configuration_has_its_exception(
    shared: Catalog, code: str, members: dict[str, Any]
) -> None:
    refused(code, shared.client.create_deployment_config, **{"deploymentConfigName": "mine", **members})


def test_a_configuration_that_a_group_uses_is_kept(server: Catalog) -> None:
    server.application()
    server.client.create_deployment_config(deploymentConfigName="half", minimumHealthyHosts=HALF)
    server.group(deploymentConfigName="half")
    delete = server.client.delete_deployment_config
    assert "shop/production" in refused("DeploymentConfigInUse", delete, deploymentConfigName="half")
    server.client.delete_deployment_group(applicationName="shop", deploymentGroupName="production")
    delete(deploymentConfigName="half")


def test_there_are_at_most_200_of_them(server: Catalog) -> None:
    from runner.model.application import DeploymentConfig

    with server.store._db.write():
        for number in range(200):
            server.store.catalog.configs.create(
                DeploymentConfig(id=str(number), name=f"c{number:03}", platform="Server", created_at=server.now)
            )
    refused(
        "DeploymentConfigLimitExceeded",
        server.client.create_deployment_config,
        deploymentConfigName="one-more",
        minimumHealthyHosts=HALF,
    )
    names, token = [], {}
    for size in (100, 100, 17):
        page = server.client.list_deployment_configs(**token)
        assert len(page["deploymentConfigsList"]) == size
        names += page["deploymentConfigsList"]
        token = {"nextToken": page.get("nextToken")}
    assert names == sorted(set(names))
