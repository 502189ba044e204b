"""What AWS does on bad days, over the wire: the real room for calls, against moto that misbehaves as it is told."""

from typing import Any

import pytest
from function_cases import Deployment, job, shift
from support.cloud import Cloud
from support.functions import greeting, make_function, publish, role

from runner.aws import Aws
from runner.model.aws import AwsPlace
from runner.platforms.functions.pace import Pace


@pytest.fixture
def cloud(aws: Cloud) -> Cloud:
    make_function(aws, "resize", greeting(1))
    publish(aws, "resize", greeting(2))
    aws.client("lambda").create_alias(FunctionName="resize", Name="live", FunctionVersion="1")
    return aws


def begin(**changes: Any) -> Deployment:
    return Deployment(Aws(), Pace(settle=1.0, again=0.05), job(**changes))


def weights(cloud: Cloud) -> tuple[str, dict[str, float]]:
    found = cloud.client("lambda").get_alias(FunctionName="resize", Name="live")
    return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


@pytest.mark.parametrize(
    ("kind", "carried_out"), [("error", True), ("error", False), ("cut", True), ("cut", False), ("throttled", False)]
)
async def test_a_write_whose_answer_is_lost_is_made_once_in_effect(cloud: Cloud, kind: str, carried_out: bool) -> None:
    made = begin()
    if kind == "error":
        cloud.fail("lambda", "UpdateAlias", carried_out=carried_out)
    elif kind == "cut":
        cloud.cut("lambda", "UpdateAlias", carried_out=carried_out)
    else:
        cloud.throttle("lambda", "UpdateAlias", times=2)
    assert (await made.act(shift(10))).succeeded
    assert weights(cloud) == ("1", {"2": 0.1})
    assert (await made.act(shift(100))).succeeded
    assert weights(cloud) == ("2", {})


async def test_credentials_that_expire_in_the_middle_are_renewed(cloud: Cloud) -> None:
    made = begin(place=AwsPlace(region="eu-west-1", role=role(cloud, "deploys")))
    assert (await made.act(shift(10))).succeeded
    cloud.expire_credentials()
    assert (await made.act(shift(100))).succeeded
    assert weights(cloud) == ("2", {})


async def test_reads_that_lag_seconds_behind_are_waited_for(cloud: Cloud) -> None:
    made = begin()
    before = made.state
    assert (await made.act(shift(10))).succeeded
    made.state = before
    cloud.lag(0.6)
    assert (await made.act(shift(10))).succeeded
    assert (await made.act(shift(100))).succeeded
    cloud.lag(0)
    assert weights(cloud) == ("2", {})


async def test_a_missing_permission_is_named_with_what_grants_it(cloud: Cloud) -> None:
    made = begin()
    cloud.deny("lambda", "UpdateAlias")
    outcome = await made.act(shift(10))
    assert (outcome.succeeded, outcome.code) == (False, "IAM_ROLE_PERMISSIONS")
    assert "lambda:UpdateAlias" in outcome.diagnostics.message
    assert weights(cloud) == ("1", {})


async def test_a_role_that_is_not_there_is_told_before_anything_moves(cloud: Cloud) -> None:
    with pytest.raises(Exception, match="cannot be assumed") as caught:
        begin(place=AwsPlace(region="eu-west-1", role="arn:aws:iam::111122223333:role/nobody"))
    assert getattr(caught.value, "code", "") == "IAM_ROLE_MISSING"
