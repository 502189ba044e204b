"""A real deployment to Lambda, driven as `penstock deploy` drives it, that an alarm or a check stops."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable

import pytest
from store_cases import begin_with_tables, group, manifest
from support.alarms import make_alarm
from support.functions import greeting, make_function, publish
from waiting import until
from web_server import WebServer

from runner.config import Config
from runner.model.aws import AwsPlace, AwsSettings
from runner.model.checks import Alarms, HttpCheck
from runner.model.deployment import Options
from runner.model.revision import AppSpecRevision
from runner.model.rollout import HoldStep, Rollout, ShiftStep
from runner.model.work import Wish
from runner.wiring.runner import Runner

APPSPEC = """\
version: 0.0
Resources:
  - orders:
      Type: AWS::Lambda::Function
      Properties: {{Name: orders, Alias: live, CurrentVersion: "{0}", TargetVersion: "{1}"}}
"""
AN_HOUR = dt.timedelta(hours=1)
ON_ALARM = ("DEPLOYMENT_STOP_ON_ALARM",)


@pytest.fixture
def runner(aws, tmp_path):
    begin_with_tables(tmp_path / "state")
    settings = AwsSettings(alarm_interval=dt.timedelta(seconds=0.2))
    made = Runner(Config(aws=settings), tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def orders(aws):
    """Version 1 serves; 2 and 3 are there."""
    make_function(aws, "orders", greeting(1))
    aws.client("lambda").create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    for number in (2, 3):
        publish(aws, "orders", greeting(number))
    make_alarm(aws, "errors")
    return aws


def set_alarm(aws, state):
    aws.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue=state, StateReason="five of five")


def deploy(runner, before, after, *, canary=True, checks=None, **settings):
    """*checks*: of the hold."""
    steps = (ShiftStep(percent=10), HoldStep(duration=AN_HOUR, checks=tuple(checks or ())), ShiftStep(percent=100))
    rollout = Rollout(name="ramp", steps=steps if canary else steps[-1:])
    live = group(
        "live", platform="Lambda", rollout=rollout, place=AwsPlace(region="eu-west-1"), checks=checks or {}, **settings
    )
    content = APPSPEC.format(before, after)
    revision = AppSpecRevision(content=content, sha256=hashlib.sha256(content.encode()).hexdigest())
    wish = Wish(manifest=manifest(live, platform="Lambda"), revision=revision)
    return runner.store.create_releases("shop", [wish], "user", Options(), dt.datetime.now(dt.UTC))[0]


def ended(runner, deployment_id) -> Callable[[], bool]:
    """Whether it has, and whatever rolls it back."""

    def so() -> bool:
        one = runner.store.deployment(deployment_id)
        if not one.status.is_terminal:
            return False
        back = one.rollback and one.rollback.rollback_deployment_id
        return not back or runner.store.deployment(back).status.is_terminal

    return so


async def drive(runner, deployment_id, meanwhile=None):
    """Until it has ended; *meanwhile* happens while it holds."""

    async def disturb():
        await until(lambda: runner.store.deployment(deployment_id).wait == "hold", within=60)
        meanwhile()

    with runner.driving():
        disturbing = asyncio.create_task(disturb()) if meanwhile else None
        async with asyncio.timeout(90):
            assert await runner.drive(ended(runner, deployment_id))
        if disturbing:
            await disturbing
    return runner.store.deployment(deployment_id)


def weights(aws):
    alias = aws.client("lambda").get_alias(FunctionName="orders", Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


async def test_an_alarm_in_a_hold_stops_the_deployment_and_takes_the_traffic_back(runner, orders):
    first = deploy(runner, 1, 2, canary=False)
    assert (await drive(runner, first)).status == "Succeeded"
    made = deploy(runner, 2, 3, alarms=Alarms(names=("errors",)), rollback_on=ON_ALARM)
    stopped = await drive(runner, made, lambda: set_alarm(orders, "ALARM"))
    assert (stopped.status, stopped.error.code) == ("Stopped", "ALARM_ACTIVE")
    assert "the alarm errors is in state ALARM: five of five" in stopped.error.message
    back = runner.store.deployment(stopped.rollback.rollback_deployment_id)
    assert (back.status, back.creator) == ("Succeeded", "codeDeployRollback")  # though the alarm is still on
    assert weights(orders) == ("2", {})


async def test_without_rollback_on_alarm_the_traffic_stays_as_it_is(runner, orders):
    made = deploy(runner, 1, 2, alarms=Alarms(names=("errors",)), rollback_on=("DEPLOYMENT_FAILURE",))
    stopped = await drive(runner, made, lambda: set_alarm(orders, "ALARM"))
    assert (stopped.status, stopped.error.code) == ("Stopped", "ALARM_ACTIVE")
    assert weights(orders) == ("1", {"2": 0.1})


async def test_an_alarm_beforehand_stops_it_before_anything_is_touched(runner, orders):
    set_alarm(orders, "ALARM")
    orders.forget()
    stopped = await drive(runner, deploy(runner, 1, 2, alarms=Alarms(names=("errors",))))
    assert (stopped.status, stopped.error.code, stopped.started_at) == ("Stopped", "ALARM_ACTIVE", None)
    assert orders.calls(mutating=True) == []


async def test_an_application_that_falls_sick_in_a_hold_stops_it(runner, orders):
    server = WebServer("hello")
    await server.start()
    try:
        health = HttpCheck(url=f"http://127.0.0.1:{server.port}/health")
        made = deploy(runner, 1, 2, checks={"health": health})

        def fall_sick():
            server.sick = True

        stopped = await drive(runner, made, fall_sick)
    finally:
        await server.stop()
    assert (stopped.status, stopped.error.code) == ("Stopped", "CUSTOMER_APPLICATION_UNHEALTHY")
    assert "answered 503, not 200" in stopped.error.message
