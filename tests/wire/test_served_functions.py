"""A deployment to Lambda from the outside: `penstock serve` as a process, boto3 with real keys, hooks that call back."""

from typing import Any

from acceptance_cases import wait_until
from support.cloud import Cloud
from support.functions import HOOK, greeting, make_function, publish, role, shares
from traffic_shapes import ROLE, function_appspec
from wire.served import ServedAws

PLACE = {"applicationName": "functions", "deploymentGroupName": "live"}


def furnish(aws: Cloud) -> None:
    """The role, and the function `shop` with two versions, of which `live` has the first."""
    role(aws, "deploys")
    make_function(aws, "shop", greeting(1))
    publish(aws, "shop", greeting(2))
    aws.client("lambda").create_alias(FunctionName="shop", Name="live", FunctionVersion="1")


def group(served: ServedAws, **settings: Any) -> None:
    served.client.create_application(applicationName="functions", computePlatform="Lambda")
    served.client.create_deployment_group(**PLACE, serviceRoleArn=ROLE, **settings)


def test_a_canary_with_hooks_is_taken_up_after_a_power_cut_and_stopped(served: ServedAws):
    furnish(served.aws)
    make_function(served.aws, "check", HOOK, variables=served.variables)
    group(
        served,
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]},
    )
    revision = function_appspec(BeforeAllowTraffic="check", AfterAllowTraffic="check")
    made = served.client_of("deployer").create_deployment(**PLACE, revision=revision)["deploymentId"]

    def weight() -> float | None:
        told = served.target(made)
        return told.get("lambdaFunctionInfo", {}).get("targetVersionWeight")

    wait_until(lambda: weight() == 10, "the first shift")
    served.server.kill()
    served.server.start()
    assert (served.get(made)["status"], weight()) == ("InProgress", 10)
    counted = shares(served.aws, "shop", "live", 200)
    assert counted.total() == counted["1"] + counted["2"]
    assert 0 < counted["2"] < 60
    served.client.stop_deployment(deploymentId=made)
    back = served.until_status(made, "Stopped")["rollbackInfo"]["rollbackDeploymentId"]
    served.until_status(back, "Succeeded")
    assert shares(served.aws, "shop", "live", 20) == {"1": 20}
    changes = served.aws.calls(mutating=True, service="lambda")
    # Nothing came to the hook after the traffic.
    assert [call.operation for call in changes] == ["Invoke", "UpdateAlias", "UpdateAlias"], changes


def test_what_aws_has_not_is_told_by_the_deployment(served: ServedAws):
    role(served.aws, "deploys")
    group(served)
    made = served.client.create_deployment(**PLACE, revision=function_appspec())["deploymentId"]
    error = served.until_status(made, "Failed")["errorInformation"]
    assert error["code"] == "INVALID_LAMBDA_FUNCTION"
    assert "shop" in error["message"]
