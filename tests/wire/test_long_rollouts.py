"""A rollout of ten hours, in which AWS does not stay what it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_world import AwsWorld
from support.cloud import Cloud
from support.fixtures import aws, shared_cloud  # noqa: F401 - fixtures
from traffic_shapes import function_appspec

HOURLY = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 60}}


@pytest.fixture
def world(tmp_path: Path, aws: Cloud) -> Iterator[AwsWorld]:  # noqa: F811 - the fixture
    with AwsWorld(tmp_path, aws) as made:
        made.function()
        made.client.create_deployment_config(
            deploymentConfigName="TenHours", computePlatform="Lambda", trafficRoutingConfig=HOURLY
        )
        yield made


def test_credentials_expire_and_the_region_goes_silent_and_it_goes_on(world: AwsWorld) -> None:
    made = world.deploy(world.group("TenHours"), function_appspec())
    for hour in range(1, 10):
        share = {"1": round(1 - hour / 10, 6), "2": round(hour / 10, 6)}
        world.until(lambda share=share: world.alias() == share)
        world.until(lambda hour=hour: world.weight(made) == 10 * hour)  # recorded: from now on the next hour counts
        if hour == 4:
            world.aws.expire_credentials()
        if hour == 7:
            world.aws.cut("lambda", "*", times=None)
        world.aws.forget()
        world.later(minutes=60)
        if hour == 7:
            world.until(lambda: len(world.aws.calls(service="lambda")) >= 3)
            assert world.alias() == share
            assert world.get(made)["status"] == "InProgress"
            world.aws.mend()
    assert world.ended(made)["status"] == "Succeeded"
    assert world.alias() == {"2": 1.0}
