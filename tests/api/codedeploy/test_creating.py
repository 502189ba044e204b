"""CreateDeployment: what is refused, in which order, and what the deployment is made with."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from deployment_rig import GROUP, REVISION, DeploymentRig
from store_cases import group, manifest

from runner.model.revision import S3Revision


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeploymentRig]:
    with DeploymentRig(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentRig]:
    """For tests in which no deployment is made."""
    with DeploymentRig(tmp_path_factory.mktemp("still")) as made:
        yield made


WITHOUT_REVISION = {name: value for name, value in {**GROUP, "revision": None}.items() if value}
S3 = {"bucket": "b", "key": "k"}
TEXT = {"content": "version: 0.0"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"applicationName": "nothing"}, "ApplicationDoesNotExistException"),
        ({"deploymentGroupName": "nothing"}, "DeploymentGroupDoesNotExistException"),
        ({"applicationName": "nothing", "revision": {}}, "RevisionRequiredException"),  # required before existence
        ({"revision": {"revisionType": "S3"}}, "InvalidRevisionException"),
        ({"revision": {"revisionType": "S3", "s3Location": S3}}, "InvalidRevisionException"),
        ({"revision": {"revisionType": "S3", "s3Location": {**S3, "bundleType": "YAML"}}}, "InvalidRevisionException"),
        ({"revision": {"revisionType": "AppSpecContent", "appSpecContent": TEXT}}, "InvalidRevisionException"),
        ({"deploymentConfigName": "nothing"}, "DeploymentConfigDoesNotExistException"),
        ({"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}, "InvalidComputePlatformException"),
        ({"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfigException"),
        ({"overrideAlarmConfiguration": {"enabled": True, "alarms": []}}, "InvalidAlarmConfigException"),
        ({"targetInstances": {"autoScalingGroups": ["a"]}}, "InvalidTargetInstancesException"),
        ({"fileExistsBehavior": "SHRUG"}, "InvalidFileExistsBehaviorException"),
        ({"deploymentMode": "RESTART", "revision": {}}, "InvalidInputException"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_created(
    still: DeploymentRig, changes: dict[str, Any], code: str
):
    assert still.refused("create_deployment", **{**GROUP, "revision": REVISION, **changes})[0] == code
    assert still.client.list_deployments()["deployments"] == []
    assert still.client.list_application_revisions(applicationName="api")["revisions"] == []


def test_a_deployment_needs_a_revision(still: DeploymentRig):
    expected = ("RevisionRequiredException", "RevisionLocation must be specified")
    assert still.refused("create_deployment", **WITHOUT_REVISION) == expected


REPLACED = {
    "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "loadBalancerInfo": {"elbInfoList": [{"name": "lb"}]},
}
COPIED = {
    **REPLACED,
    "autoScalingGroups": ["web"],
    "blueGreenDeploymentConfiguration": {"greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"}},
}
TAG = {"Key": "fleet", "Value": "new", "Type": "KEY_AND_VALUE"}


@pytest.mark.parametrize(
    ("settings", "given", "words"),
    [
        (REPLACED, {}, "needs targetInstances"),
        (REPLACED, {"tagFilters": []}, "needs targetInstances"),
        (REPLACED, {"tagFilters": [TAG], "ec2TagSet": {"ec2TagSetList": [[TAG]]}}, "not both"),
        (REPLACED, {"tagFilters": [TAG] * 11}, "11 tag filters are too many"),
        (REPLACED, {"autoScalingGroups": [f"web-{number}" for number in range(11)]}, "11 Auto Scaling groups"),
        (COPIED, {"autoScalingGroups": ["other"]}, "copies its Auto Scaling group"),
    ],
)
def test_who_replaces_the_hosts_of_a_group_is_said_when_it_must_be(
    still: DeploymentRig, settings: dict[str, Any], given: dict[str, Any], words: str
):
    place = still.group(f"replaced-{words.replace(' ', '-')}-{len(given)}", **settings)
    code, message = still.refused("create_deployment", **place, revision=REVISION, targetInstances=given)
    assert code == "InvalidTargetInstancesException"
    assert words in message
    assert still.client.list_deployments()["deployments"] == []


def test_a_deployment_may_leave_out_the_alarms_of_its_group(rig: DeploymentRig):
    place = rig.group("watched", alarmConfiguration={"enabled": True, "alarms": [{"name": "hot"}]})
    override = {"enabled": False, "ignorePollAlarmFailure": False, "alarms": []}
    told = rig.get(rig.create(**place, overrideAlarmConfiguration=override))
    assert told["overrideAlarmConfiguration"] == override


def test_the_options_of_a_deployment_stand_above_its_group_and_are_given_back(rig: DeploymentRig):
    rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
    told = rig.get(
        rig.create(
            description="for a try",
            deploymentConfigName="CodeDeployDefault.OneAtATime",
            ignoreApplicationStopFailures=True,
            fileExistsBehavior="RETAIN",
            updateOutdatedInstancesOnly=True,
            autoRollbackConfiguration=rollback,
        )
    )
    assert (
        told.items()
        >= {
            "description": "for a try",
            "deploymentConfigName": "CodeDeployDefault.OneAtATime",
            "ignoreApplicationStopFailures": True,
            "fileExistsBehavior": "RETAIN",
            "updateOutdatedInstancesOnly": True,
            "autoRollbackConfiguration": rollback,
            "revision": REVISION,
            "creator": "user",
            "status": "Queued",
        }.items()
    )


def test_the_settings_are_those_of_the_moment_of_creation(rig: DeploymentRig):
    made = rig.create()
    change = {"applicationName": "api", "currentDeploymentGroupName": "production"}
    rig.client.update_deployment_group(**change, deploymentConfigName="CodeDeployDefault.OneAtATime")
    assert rig.get(made)["deploymentConfigName"] == "CodeDeployDefault.AllAtOnce"


def test_the_revision_is_registered_when_it_is_first_used(rig: DeploymentRig):
    rig.deploy()
    found = rig.client.get_application_revision(applicationName="api", revision=REVISION)["revisionInfo"]
    assert found["deploymentGroups"] == ["production"]
    assert found["firstUsedTime"] == found["lastUsedTime"] == rig.world.now


def test_of_two_clients_at_once_one_wins(rig: DeploymentRig):
    """Over sockets of their own; the store lets one in after the other."""
    ready, codes = threading.Barrier(4), []

    def create() -> None:
        client = rig.rig.client()
        ready.wait(20)
        try:
            client.create_deployment(**GROUP, revision=REVISION)
            codes.append("")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(codes) == ["", *["DeploymentLimitExceededException"] * 3]
    assert len(rig.client.list_deployments()["deployments"]) == 1


def test_an_application_of_a_manifest_can_be_deployed_and_waits_for_no_group_before(rig: DeploymentRig):
    place = {"applicationName": "shop", "deploymentGroupName": "production"}
    staging, production = rig.world.push("1")
    assert rig.refused("create_deployment", **place, revision=REVISION)[0] == "DeploymentLimitExceededException"
    rig.world.settle()
    assert {rig.get(staging)["status"], rig.get(production)["status"]} == {"Succeeded"}
    made = rig.deploy(**place)
    assert (made["status"], made["creator"]) == ("Succeeded", "user")
    assert made["previousRevision"]["gitHubLocation"]["commitId"] == "1" * 40


def test_a_change_that_comes_meanwhile_waits_for_the_deployment_and_does_not_replace_it(rig: DeploymentRig):
    rig.world.push("1", manifest(group("production")))
    rig.world.settle()
    made = rig.create(applicationName="shop", deploymentGroupName="production")
    (later,) = rig.world.push("2", manifest(group("production")))
    rig.world.step([])
    assert rig.get(made)["status"] == "Queued"
    assert rig.get(later)["deploymentStatusMessages"] == [f"waits for {made} to finish"]
    rig.world.settle()


def test_what_an_open_revision_turned_out_to_be_is_kept_beside_it(rig: DeploymentRig):
    """What hosts are told is exact; what the API tells is what it was told."""
    bare = {"revisionType": "S3", "s3Location": {**S3, "bundleType": "zip"}}
    made = rig.create(revision=bare)
    (prepare,) = rig.world.step([])
    result = rig.world.result(prepare)
    exact = S3Revision(bucket="b", key="k", bundle_type="zip", etag="e9", version="v3")
    rig.world.step([], [msgspec.structs.replace(result, pinned=exact)])
    assert rig.get(made)["revision"] == bare
    job, _ = rig.world.store.job(made)
    assert job.revision == exact


def test_a_deployment_may_suspend_other_processes_than_its_group(rig: DeploymentRig):
    def options(*processes: str) -> dict[str, Any]:
        return {"autoScalingGroupProcessesToSuspend": list(processes)}

    place = rig.group("scaled", autoScalingGroups=["web"], ec2DeploymentOptions=options("Terminate"))
    for given, expected in (({}, "Terminate"), ({"ec2DeploymentOptions": options("AZRebalance")}, "AZRebalance")):
        made = rig.create(**place, **given)
        assert rig.get(made)["ec2DeploymentOptions"] == options(expected)
        assert rig.world.store.deployment(made).settings.ec2.suspended == (expected,)
        rig.world.settle()
    twice = {"ec2DeploymentOptions": options("Terminate", "Terminate")}
    refusal = rig.refused("create_deployment", **place, revision=REVISION, **twice)
    assert refusal == ("InvalidAutoScalingGroupProcessToSuspendException", "a process is named twice")
