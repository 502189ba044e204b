"""Blue/green deployments to EC2 instances behind a target group: the real program, boto3, and requests all the while."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from instance_fleet import Fleet, instance_fleet
from support.cloud import Cloud
from support.traffic import Load
from traffic_shapes import ROLE

REPLACED = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
AT_ONCE = {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
SOMEBODY = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60}
TERMINATED = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 60}
INSTALL = ["ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart"]
INSTALL += ["ValidateService"]
ALLOW = ["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]
BLOCK = ["BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"]


def tagged(value: str) -> list[dict[str, str]]:
    return [{"Key": "fleet", "Value": value, "Type": "KEY_AND_VALUE"}]


class TwoFleets:
    """Two instances of fleet `a`, which have version one and the traffic, and two of fleet `b`."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.client = fleet, fleet.client
        self.a, self.b = fleet.instances[:2], fleet.instances[2:]
        for value, instances in (("a", self.a), ("b", self.b)):
            fleet.world.ec2.create_tags(Resources=instances, Tags=[{"Key": "fleet", "Value": value}])
        self.place = {"applicationName": "shop", "deploymentGroupName": "live"}
        self.client.create_deployment_group(
            **self.place,
            serviceRoleArn=ROLE,
            deploymentConfigName="CodeDeployDefault.AllAtOnce",
            ec2TagFilters=tagged("a"),
            deploymentStyle={"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            loadBalancerInfo={"targetGroupInfoList": [{"name": "web"}]},
        )
        fleet.ended(fleet.deploy(self.place, "one"))
        self.folders = fleet.folders

    def replace(self, ready: dict[str, Any], end: dict[str, Any], **settings: Any) -> None:
        """From now on the group is deployed to so."""
        self.client.update_deployment_group(
            applicationName="shop",
            currentDeploymentGroupName="live",
            deploymentStyle=REPLACED,
            blueGreenDeploymentConfiguration={
                "deploymentReadyOption": ready,
                "terminateBlueInstancesOnDeploymentSuccess": end,
                "greenFleetProvisioningOption": {"action": "DISCOVER_EXISTING"},
            },
            **settings,
        )

    def deploy(self, version: str, by: str = "b") -> str:
        key = self.fleet.upload(version)
        revision = {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": key, "bundleType": "zip"}}
        given = {"targetInstances": {"tagFilters": tagged(by)}}
        return str(self.client.create_deployment(**self.place, revision=revision, **given)["deploymentId"])

    def roll_back(self, deployment_id: str) -> str:
        """By hand, on the command line; the new deployment."""
        (made,) = self.fleet.served.server.penstock("rollback", deployment_id, "--detach")["deployments"]
        return str(made["id"])

    def events(self, deployment_id: str) -> dict[str, list[dict[str, Any]]]:
        """By the ID of the instance."""
        return {name: target["lifecycleEvents"] for name, target in self.fleet.targets(deployment_id).items()}

    def version(self, instance: str) -> str:
        return (self.folders[instance] / "srv" / "version").read_text()

    def states(self) -> dict[str, str]:
        return self.fleet.world.states(self.fleet.target_group)

    def instance_states(self) -> dict[str, str]:
        told = self.fleet.world.ec2.describe_instances(InstanceIds=self.fleet.instances)
        return {
            each["InstanceId"]: each["State"]["Name"]
            for reservation in told["Reservations"]
            for each in reservation["Instances"]
        }

    def info(self, deployment_id: str) -> dict[str, Any]:
        return dict(self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def waits_for_termination(self, deployment_id: str) -> None:
        self.fleet.until(
            lambda: self.info(deployment_id)["instanceTerminationWaitTimeStarted"], "the wait for the termination"
        )


@contextlib.contextmanager
def two_fleets(folder: Path, aws: Cloud) -> Iterator[TwoFleets]:
    with instance_fleet(folder, aws, zones=(0, 1, 0, 1)) as fleet:
        yield TwoFleets(fleet)


def test_traffic_goes_from_one_fleet_to_the_other_and_no_request_is_lost(tmp_path: Path, aws: Cloud) -> None:
    with two_fleets(tmp_path, aws) as both:
        fleet, client = both.fleet, both.client
        both.replace(SOMEBODY, TERMINATED)
        with Load(fleet.world.open(fleet.listener), parallel=4) as load:
            load.wait_for(20)
            made = both.deploy("two")
            fleet.ended(made, "Ready")
            assert [both.version(name) for name in both.b] == ["two", "two"]
            assert set(load.shares()) == {"one"}
            assert both.info(made)["deploymentOverview"]["Ready"] == 2
            client.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
            both.waits_for_termination(made)
            load.wait_for(20)
            assert set(load.shares(last=10)) == {"two"}
        assert load.failures == []
        assert both.instance_states() == dict.fromkeys(fleet.instances, "running")
        client.continue_deployment(deploymentId=made, deploymentWaitType="TERMINATION_WAIT")
        fleet.ended(made)
        expected = dict.fromkeys(both.a, "terminated") | dict.fromkeys(both.b, "running")
        fleet.until(lambda: both.instance_states() == expected, "the end of the original")
        check_what_the_api_tells(both, made)


def check_what_the_api_tells(both: TwoFleets, made: str) -> None:
    client, fleet = both.client, both.fleet
    events = {
        name: (target["instanceLabel"], [event["lifecycleEventName"] for event in target["lifecycleEvents"]])
        for name, target in fleet.targets(made).items()
    }
    assert events == dict.fromkeys(both.b, ("Green", INSTALL + ALLOW)) | dict.fromkeys(both.a, ("Blue", BLOCK))
    for label, names in (("Blue", {"web-0", "web-1"}), ("Green", {"web-2", "web-3"})):
        filters = {"ServerInstanceLabel": [label]}
        assert set(client.list_deployment_targets(deploymentId=made, targetFilters=filters)["targetIds"]) == names
        listed = client.list_deployment_instances(deploymentId=made, instanceTypeFilter=[label])
        assert set(listed["instancesList"]) == names
    summary = client.get_deployment_instance(deploymentId=made, instanceId="web-0")["instanceSummary"]
    assert summary["instanceType"] == "Blue"
    info = both.info(made)
    assert info["targetInstances"] == {"tagFilters": tagged("b")}
    assert info["instanceTerminationWaitTimeStarted"] is True
    group = client.get_deployment_group(**both.place)["deploymentGroupInfo"]
    assert group["ec2TagSet"] == {"ec2TagSetList": [tagged("b")]}


def test_a_fleet_that_was_kept_takes_over_again_when_the_next_revision_comes(tmp_path: Path, aws: Cloud) -> None:
    with two_fleets(tmp_path, aws) as both:
        both.replace(AT_ONCE, {"action": "KEEP_ALIVE"})
        both.fleet.ended(both.deploy("two"))
        assert both.states() == dict.fromkeys(both.b, "healthy")
        both.fleet.ended(both.deploy("three", by="a"))
        assert both.states() == dict.fromkeys(both.a, "healthy")
        assert both.instance_states() == dict.fromkeys(both.fleet.instances, "running")


def test_a_rollback_in_the_termination_wait_brings_the_traffic_back(tmp_path: Path, aws: Cloud) -> None:
    with two_fleets(tmp_path, aws) as both:
        fleet, client = both.fleet, both.client
        both.replace(AT_ONCE, TERMINATED)
        with Load(fleet.world.open(fleet.listener), parallel=4) as load:
            made = both.deploy("two")
            both.waits_for_termination(made)
            load.wait_for(20)
            assert set(load.shares(last=10)) == {"two"}
            client.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
            stopped = fleet.ended(made, "Stopped")
            back = fleet.ended(stopped["rollbackInfo"]["rollbackDeploymentId"])
            load.wait_for(20)
            assert set(load.shares(last=10)) == {"one"}
        assert load.failures == []
        assert back["creator"] == "codeDeployRollback"
        assert both.states() == dict.fromkeys(both.a, "healthy")
        group = client.get_deployment_group(**both.place)["deploymentGroupInfo"]
        assert group["ec2TagSet"] == {"ec2TagSetList": [tagged("a")]}


def test_what_succeeded_is_rolled_back_by_its_traffic_while_the_original_is_there(tmp_path: Path, aws: Cloud) -> None:
    with two_fleets(tmp_path, aws) as both:
        both.replace(AT_ONCE, {"action": "KEEP_ALIVE"})
        made = both.deploy("two")
        both.fleet.ended(made)
        back = both.roll_back(made)
        both.fleet.ended(back)
        assert both.states() == dict.fromkeys(both.a, "healthy")
        events = {name: [each["lifecycleEventName"] for each in told] for name, told in both.events(back).items()}
        assert events == dict.fromkeys(both.a, ALLOW) | dict.fromkeys(both.b, BLOCK)
        assert [both.version(name) for name in both.a] == ["one", "one"]


def test_what_succeeded_is_rolled_back_in_place_once_the_original_is_gone(tmp_path: Path, aws: Cloud) -> None:
    with two_fleets(tmp_path, aws) as both:
        both.replace(AT_ONCE, {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0})
        made = both.deploy("two")
        both.fleet.ended(made)
        back = both.roll_back(made)
        told = both.fleet.ended(back)
        assert both.states() == dict.fromkeys(both.b, "healthy")
        assert set(both.events(back)) == set(both.b)
        assert [both.version(name) for name in both.b] == ["one", "one"]
        assert told["deploymentStyle"]["deploymentType"] == "IN_PLACE"
        assert "blueGreenDeploymentConfiguration" not in told


@pytest.mark.parametrize("call", [2, 4, 5])  # two registrations, two deregistrations, one termination
def test_killed_right_after_a_call_the_next_process_does_the_rest(tmp_path: Path, aws: Cloud, call: int) -> None:
    with two_fleets(tmp_path, aws) as both:
        both.replace(AT_ONCE, {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0})
        aws.forget()
        server = both.fleet.served.server
        aws.kill_after(server.pid, call)
        made = both.deploy("two")
        both.fleet.until(aws.killed, "the kill")
        server.kill()
        server.start()
        both.fleet.ended(made)
        assert both.states() == dict.fromkeys(both.b, "healthy")
        expected = dict.fromkeys(both.a, "terminated") | dict.fromkeys(both.b, "running")
        both.fleet.until(lambda: both.instance_states() == expected, "the end of the original")


def test_a_replacement_of_another_size_or_without_hosts_is_none(tmp_path: Path, aws: Cloud) -> None:
    with two_fleets(tmp_path, aws) as both:
        both.replace(AT_ONCE, {"action": "KEEP_ALIVE"})
        told = both.fleet.ended(both.deploy("two", by="nobody"), "Failed")
        assert told["errorInformation"]["code"] == "NO_INSTANCES"
        both.fleet.world.ec2.create_tags(Resources=both.b[:1], Tags=[{"Key": "fleet", "Value": "c"}])
        told = both.fleet.ended(both.deploy("two", by="c"), "Failed")
        assert told["errorInformation"]["code"] == "NO_INSTANCES"
        assert "has 2 instances, and 1 were named" in told["errorInformation"]["message"]
        assert both.states() == dict.fromkeys(both.a, "healthy")
