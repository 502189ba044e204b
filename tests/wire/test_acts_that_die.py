"""An act that dies of a bug of ours, right after it has moved traffic: the rollback brings the traffic back."""

from pathlib import Path

import pytest
from aws_world import AwsWorld
from support.cloud import Cloud
from traffic_shapes import function_appspec

from runner.model.command import Outcome
from runner.model.program import Task
from runner.platforms.functions import FunctionPlatform
from runner.ports import Report

CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
ROLLBACK = {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}}
ACT = FunctionPlatform.act


async def act(self: FunctionPlatform, task: Task, report: Report) -> Outcome:
    outcome = await ACT(self, task, report)
    if task.act.weight == 10:
        raise RuntimeError("a bug")
    return outcome


def test_what_an_act_has_moved_that_died_of_a_bug_is_undone(
    tmp_path: Path, aws: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FunctionPlatform, "act", act)
    with AwsWorld(tmp_path, aws) as world:
        world.function()
        failed = world.ended(world.deploy(world.group(CANARY, **ROLLBACK), function_appspec()))
        assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "INTERNAL_ERROR")
        back = world.ended(failed["rollbackInfo"]["rollbackDeploymentId"])
        assert back["status"] == "Succeeded", back
        assert world.alias() == {"1": 1.0}
