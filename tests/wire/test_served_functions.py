"""A deployment to Lambda from the outside: `penstock serve` as a process, boto3 with real keys, hooks that call back.

AWS is the cloud of `support`, which the server finds by its environment, as it would find AWS.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from acceptance_cases import wait_until
from serving import Server, serving
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures
from support.functions import HOOK, greeting, make_function, publish, role, shares
from traffic_shapes import ROLE, function_appspec

PLACE = {"applicationName": "functions", "deploymentGroupName": "live"}


@pytest.fixture
def server(tmp_path: Path, aws: Cloud) -> Iterator[Server]:  # noqa: F811 - the fixture
    config = tmp_path / "penstock.toml"
    config.write_text('[api]\nregion = "eu-west-1"\naccount_id = "111122223333"\n')
    with serving(config, tmp_path / "state", aws.environ) as running:
        yield running


def client(server: Server, role_of_key: str) -> Any:
    key = server.key(role_of_key)
    return boto3.session.Session().client(
        "codedeploy",
        endpoint_url=server.url,
        region_name="eu-west-1",
        aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
    )


def status(client: Any, deployment_id: str) -> str:
    return str(client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]["status"])


def variables(server: Server) -> dict[str, str]:
    """Of a hook function, which has a key of its own."""
    key = server.key("deployer")
    return {
        "PENSTOCK_URL": server.url,
        "PENSTOCK_KEY": key["AWS_ACCESS_KEY_ID"],
        "PENSTOCK_SECRET": key["AWS_SECRET_ACCESS_KEY"],
    }


def furnish(aws: Cloud) -> None:  # noqa: F811 - the fixture
    """The role, and the function `shop` with two versions, of which `live` has the first."""
    role(aws, "deploys")
    make_function(aws, "shop", greeting(1))
    publish(aws, "shop", greeting(2))
    aws.client("lambda").create_alias(FunctionName="shop", Name="live", FunctionVersion="1")


def test_a_canary_with_hooks_is_taken_up_after_a_power_cut_and_stopped(server: Server, aws: Cloud):  # noqa: F811
    furnish(aws)
    make_function(aws, "check", HOOK, variables=variables(server))
    admin = client(server, "admin")
    admin.create_application(applicationName="functions", computePlatform="Lambda")
    admin.create_deployment_group(
        **PLACE,
        serviceRoleArn=ROLE,
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]},
    )
    hooks = {"BeforeAllowTraffic": "check", "AfterAllowTraffic": "check"}
    made = client(server, "deployer").create_deployment(**PLACE, revision=function_appspec(**hooks))["deploymentId"]

    def info() -> dict[str, Any]:
        return dict(admin.get_deployment(deploymentId=made)["deploymentInfo"])

    def weight() -> float:
        told = admin.get_deployment_target(deploymentId=made, targetId="shop")["deploymentTarget"]
        return float(told["lambdaTarget"]["lambdaFunctionInfo"]["targetVersionWeight"])

    wait_until(lambda: "startTime" in info() and weight() == 10, "the first shift")
    server.kill()
    server.start()
    assert (info()["status"], weight()) == ("InProgress", 10)
    counted = shares(aws, "shop", "live", 200)
    assert counted.total() == counted["1"] + counted["2"]
    assert 0 < counted["2"] < 60
    admin.stop_deployment(deploymentId=made)
    wait_until(lambda: info()["status"] == "Stopped" and "rollbackDeploymentId" in info()["rollbackInfo"], "the stop")
    back = info()["rollbackInfo"]["rollbackDeploymentId"]
    wait_until(lambda: status(admin, back) == "Succeeded", "the rollback")
    assert shares(aws, "shop", "live", 20) == {"1": 20}
    assert len(aws.calls(operation="Invoke")) == 1  # the hook before; nothing came to the one after
    assert [call.operation for call in aws.calls(mutating=True, service="lambda") if call.operation != "Invoke"] == [
        "UpdateAlias",
        "UpdateAlias",
    ]


def test_what_aws_has_not_is_told_by_the_deployment(server: Server, aws: Cloud):  # noqa: F811
    role(aws, "deploys")
    admin = client(server, "admin")
    admin.create_application(applicationName="functions", computePlatform="Lambda")
    admin.create_deployment_group(**PLACE, serviceRoleArn=ROLE)
    made = admin.create_deployment(**PLACE, revision=function_appspec())["deploymentId"]
    wait_until(lambda: status(admin, made) == "Failed", "the failure")
    error = admin.get_deployment(deploymentId=made)["deploymentInfo"]["errorInformation"]
    assert error["code"] == "INVALID_LAMBDA_FUNCTION"
    assert "shop" in error["message"]
