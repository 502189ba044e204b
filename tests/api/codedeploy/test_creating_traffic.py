"""CreateDeployment for Lambda and ECS, and with alarms: what is refused, and what the deployment is made with."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from store_cases import group
from traffic_rig import TrafficRig
from traffic_shapes import ROLE, function_appspec, service_appspec

from runner.model.aws import AwsPlace
from runner.model.checks import Alarms
from runner.model.manifest import GroupSettings
from runner.model.rollout import ShiftStep

LAMBDA = {"applicationName": "functions", "deploymentGroupName": "live"}
ECS = {"applicationName": "services", "deploymentGroupName": "web"}
ALARMS = {"enabled": True, "ignorePollAlarmFailure": False, "alarms": [{"name": "errors"}]}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[TrafficRig]:
    with TrafficRig(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrafficRig]:
    """For tests in which no deployment is made."""
    with TrafficRig(tmp_path_factory.mktemp("still")) as made:
        made.function()
        made.service()
        yield made


def settings_of(rig: TrafficRig, deployment_id: str) -> GroupSettings:
    return rig.world.store.deployment(deployment_id).settings


def in_s3(kind: str) -> dict[str, Any]:
    return {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "appspec", "bundleType": kind}}


@pytest.mark.parametrize(
    ("place", "changes", "code"),
    [
        (LAMBDA, {"ignoreApplicationStopFailures": True}, "InvalidIgnoreApplicationStopFailuresValueException"),
        (LAMBDA, {"updateOutdatedInstancesOnly": True}, "InvalidUpdateOutdatedInstancesOnlyValueException"),
        (ECS, {"ignoreApplicationStopFailures": True}, "InvalidIgnoreApplicationStopFailuresValueException"),
        (LAMBDA, {"targetInstances": {"autoScalingGroups": ["a"]}}, "InvalidTargetInstancesException"),
        (ECS, {"targetInstances": {"autoScalingGroups": ["a"]}}, "InvalidTargetInstancesException"),
        (LAMBDA, {"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"}, "InvalidComputePlatformException"),
        (ECS, {"deploymentConfigName": "CodeDeployDefault.OneAtATime"}, "InvalidComputePlatformException"),
        (LAMBDA, {"revision": in_s3("zip")}, "InvalidRevisionException"),
        (
            LAMBDA,
            {
                "revision": {
                    "revisionType": "GitHub",
                    "gitHubLocation": {"repository": "a/b", "commitId": "0" * 40},
                }
            },
            "InvalidRevisionException",
        ),
        (
            ECS,
            {"revision": {"revisionType": "String", "string": {"content": "{}"}}},
            "InvalidRevisionException",
        ),
        (
            LAMBDA,
            {"revision": {"revisionType": "AppSpecContent", "appSpecContent": {"sha256": "0" * 64}}},
            "RevisionDoesNotExistException",
        ),
        (LAMBDA, {"overrideAlarmConfiguration": {**ALARMS, "alarms": []}}, "InvalidAlarmConfigException"),
        (
            LAMBDA,
            {"overrideAlarmConfiguration": {**ALARMS, "alarms": [{"name": str(n)} for n in range(11)]}},
            "AlarmsLimitExceededException",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_created(
    still: TrafficRig, place: dict[str, str], changes: dict[str, Any], code: str
):
    revision = function_appspec() if place is LAMBDA else service_appspec()
    assert still.refused("create_deployment", **{**place, "revision": revision, **changes})[0] == code
    assert still.client.list_deployments()["deployments"] == []


@pytest.mark.parametrize(
    ("place", "revision"),
    [
        (LAMBDA, in_s3("YAML")),
        (LAMBDA, in_s3("JSON")),
        (ECS, in_s3("YAML")),
        (LAMBDA, {"revisionType": "String", "string": {"content": function_appspec()["appSpecContent"]["content"]}}),
        (LAMBDA, function_appspec()),
        (ECS, service_appspec()),
    ],
)
def test_every_form_of_an_appspec_is_taken(rig: TrafficRig, place: dict[str, str], revision: dict[str, Any]):
    rig.function()
    rig.service()
    told = rig.get(rig.create(**place, revision=revision))
    assert (told["status"], told["revision"]["revisionType"]) == ("Queued", revision["revisionType"])
    assert told["computePlatform"] == ("Lambda" if place is LAMBDA else "ECS")


def test_an_appspec_that_was_deployed_is_named_by_its_digest(rig: TrafficRig):
    place = rig.function()
    rig.start(place, function_appspec())
    digest = function_appspec()["appSpecContent"]["sha256"]
    again = rig.create(**place, revision={"revisionType": "AppSpecContent", "appSpecContent": {"sha256": digest}})
    rig.world.settle()
    assert rig.get(again)["status"] == "Succeeded"


def test_a_configuration_of_a_deployment_stands_above_its_groups(rig: TrafficRig):
    place = rig.function(deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce")
    linear = "CodeDeployDefault.LambdaLinear10PercentEvery2Minutes"
    made = rig.create(**place, revision=function_appspec(), deploymentConfigName=linear)
    assert rig.get(made)["deploymentConfigName"] == linear
    settings = settings_of(rig, made)
    assert settings.rollout.steps == (ShiftStep(percent=10, every=dt.timedelta(minutes=2)),)
    assert settings.place == AwsPlace(region="us-east-1", role=ROLE)


def test_alarms_of_a_deployment_replace_its_groups(rig: TrafficRig):
    place = rig.function(alarmConfiguration=ALARMS)
    own = {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "slow"}]}
    for override, alarms in (
        (None, Alarms(names=("errors",))),
        (own, Alarms(names=("slow",), ignore_poll_failure=True)),
        ({"enabled": False, "ignorePollAlarmFailure": False, "alarms": []}, None),
    ):
        given = {} if override is None else {"overrideAlarmConfiguration": override}
        made = rig.start(place, function_appspec(), **given)
        assert settings_of(rig, made).alarms == alarms
        assert rig.get(made).get("overrideAlarmConfiguration") == override


def test_alarms_of_servers_are_kept_for_the_deployment_too(rig: TrafficRig):
    place = rig.group("watched", alarmConfiguration=ALARMS)
    settings = settings_of(rig, rig.create(**place))
    assert (settings.platform, settings.alarms) == ("Server", Alarms(names=("errors",)))


def test_other_alarms_are_given_by_who_may_change_the_group(rig: TrafficRig):
    place = rig.function(alarmConfiguration=ALARMS)
    rig.client = rig.rig.client("deployer")
    given = {**place, "revision": function_appspec()}
    off = {"enabled": False, "alarms": []}
    code, message = rig.refused("create_deployment", **given, overrideAlarmConfiguration=off)
    assert (code, "UpdateDeploymentGroup" in message) == ("AccessDeniedException", True)
    assert rig.create(**given)


def test_a_group_that_an_older_version_made_gets_what_that_one_only_kept(rig: TrafficRig):
    place = rig.function(alarmConfiguration=ALARMS, deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce")
    kept = rig.world.store.catalog.groups.get("functions", "live")
    bare = group("live", tags={}, rollout=msgspec.structs.replace(kept.settings.rollout, steps=()))
    older = msgspec.structs.replace(bare, declared=kept.settings.declared)
    rig.world.store.catalog.groups.update(kept, older)
    assert settings_of(rig, rig.create(**place, revision=function_appspec())) == kept.settings
