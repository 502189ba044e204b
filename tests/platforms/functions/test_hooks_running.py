"""Hooks that really run: functions executed by AWS' own runtime client, which call back with boto3 over a real socket."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from deployment_rig import DeploymentRig
from function_cases import Deployment, job, shift
from support.cloud import Cloud
from support.functions import HOOK, greeting, make_function, publish
from waiting import until

from runner.aws import Aws
from runner.errors import Refused
from runner.model.command import Outcome
from runner.model.functions import LambdaSpec
from runner.model.program import Act
from runner.platforms.functions import FunctionPlatform
from runner.platforms.functions.pace import Pace
from runner.platforms.hooks import WithHooks

APPSPEC = """
version: 0.0
Resources:
  - resize:
      Type: AWS::Lambda::Function
      Properties: {Name: resize, Alias: live, CurrentVersion: "1", TargetVersion: "2"}
Hooks:
  - BeforeAllowTraffic: check
"""
BEFORE = Act(event="BeforeAllowTraffic")


class Hooked:
    """A deployment in the store, a server that listens for its hook, and the platform that runs it."""

    def __init__(self, aws: Cloud, folder: Path) -> None:
        self.aws, self.rig = aws, DeploymentRig(folder)
        self.said: list[str] = []

    def start(self) -> None:
        self.rig.__enter__()
        self.rig.client.create_application(applicationName="resize", computePlatform="Lambda")
        self.rig.client.create_deployment_group(
            applicationName="resize",
            deploymentGroupName="live",
            serviceRoleArn="arn:aws:iam::111122223333:role/deploys",
            deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce",
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        )
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": APPSPEC}}
        made = self.rig.create(applicationName="resize", deploymentGroupName="live", revision=revision)
        make_function(self.aws, "resize", greeting(1))
        publish(self.aws, "resize", greeting(2))
        self.aws.client("lambda").create_alias(FunctionName="resize", Name="live", FunctionVersion="1")
        asked = self._job(made)
        self.deployment = Deployment(Aws(), Pace(settle=1.0, again=0.05), asked)
        self.platform = self.deployment.platform = self._platform()  # type: ignore[assignment]
        self.asked = asked
        self.deployment.said = self.said

    def _job(self, deployment_id: str) -> Any:
        spec = LambdaSpec(
            function="resize",
            alias="live",
            current_version="1",
            target_version="2",
            hooks={"BeforeAllowTraffic": "check"},
        )
        return job(spec, deployment_id=deployment_id)

    def _platform(self) -> WithHooks:
        aws, store = Aws(), self.rig.world.store
        return WithHooks(FunctionPlatform(aws), store.hooks, aws, lambda: self.rig.world.now, True)

    def hook(self, **variables: str) -> None:
        keys = {"PENSTOCK_KEY": "PKDEPLOYER", "PENSTOCK_SECRET": "secret", "PENSTOCK_REGION": "us-east-1"}
        make_function(self.aws, "check", HOOK, variables={"PENSTOCK_URL": self.rig.rig.address, **keys, **variables})

    def invocations(self) -> int:
        return len(self.aws.calls(mutating=True, operation="Invoke"))


@pytest.fixture
async def hooked(aws: Cloud, tmp_path: Path) -> AsyncIterator[Hooked]:
    made = Hooked(aws, tmp_path)
    await asyncio.to_thread(made.start)
    yield made
    await made.platform.close()
    made.rig.__exit__()


async def test_a_hook_lets_the_deployment_go_on_and_its_log_is_kept(hooked: Hooked) -> None:
    hooked.hook(RAISES="what a function returns, or raises, is no answer")
    assert await hooked.deployment.act(BEFORE) == Outcome(succeeded=True)
    execution = hooked.rig.world.store.hooks.begin(
        (hooked.deployment.job.deployment_id, "resize", "BeforeAllowTraffic", 1), hooked.rig.world.now
    )
    log = "".join(hooked.said)
    assert f'"LifecycleEventHookExecutionId": "{execution.id}"' in log
    assert "[stdout]the hook was called with" in log
    assert "The function ended with an error (Unhandled)" in log
    assert (await hooked.deployment.act(shift(100))).succeeded
    assert hooked.invocations() == 1


async def test_a_hook_that_says_no_fails_and_no_traffic_has_moved(hooked: Hooked) -> None:
    hooked.hook(STATUS="Failed")
    outcome = await hooked.deployment.act(BEFORE)
    assert (outcome.succeeded, outcome.code) == (False, "HOOK_EXECUTION_FAILURE")
    assert "the hook was called with" in outcome.diagnostics.log_tail
    assert hooked.aws.calls(operation="UpdateAlias") == []


async def test_a_hook_that_never_calls_back_fails_after_an_hour(hooked: Hooked) -> None:
    hooked.hook(STATUS="")
    running = asyncio.create_task(hooked.deployment.act(BEFORE))
    await until(lambda: any("the hook was called with" in line for line in hooked.said))
    hooked.rig.world.now += dt.timedelta(seconds=3599)
    await asyncio.wait([running], timeout=0.5)
    assert not running.done()
    hooked.rig.world.now += dt.timedelta(seconds=1)
    outcome = await running
    assert outcome.diagnostics.error_code == "ScriptTimedOut"
    assert hooked.invocations() == 1


async def test_a_hook_that_is_not_there_is_found_beforehand_and_fails_at_once(hooked: Hooked) -> None:
    with pytest.raises(Refused, match="hook check") as caught:
        await asyncio.to_thread(hooked.platform.inspect, hooked.asked)
    assert caught.value.code == "HOOK_EXECUTION_FAILURE"
    outcome = await hooked.deployment.act(BEFORE)  # it was there when the deployment began, say
    assert (outcome.succeeded, outcome.code) == (False, "HOOK_EXECUTION_FAILURE")
    assert "check" in outcome.diagnostics.message


async def test_a_hook_that_may_not_be_invoked_names_the_permission(hooked: Hooked) -> None:
    hooked.hook()
    hooked.aws.deny("lambda", "InvokeFunction")
    hooked.aws.deny("lambda", "Invoke")
    outcome = await hooked.deployment.act(BEFORE)
    assert (outcome.succeeded, outcome.code) == (False, "IAM_ROLE_PERMISSIONS")
    assert "lambda:InvokeFunction" in outcome.diagnostics.message


async def test_an_answer_whose_invocation_got_lost_counts(hooked: Hooked) -> None:
    hooked.hook(PAUSE="0.3")
    hooked.aws.cut("lambda", "Invoke", carried_out=True)
    assert (await hooked.deployment.act(BEFORE)).succeeded
    assert hooked.invocations() == 1


async def test_throttling_is_waited_out(hooked: Hooked) -> None:
    hooked.hook()
    hooked.aws.throttle("lambda", "Invoke", times=2)
    assert (await hooked.deployment.act(BEFORE)).succeeded
    ran = [line for line in hooked.said if "the hook was called with" in line]
    assert len(ran) == 1
