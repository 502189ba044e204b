"""Processes of Auto Scaling groups: suspended for deployments, and resumed when the last that needs it has ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from store_cases import World, group, manifest
from support.cloud import Cloud
from support.ec2_world import Ec2World

from runner.aws import Aws, AwsError
from runner.inventory.suspending import Suspending
from runner.model.aws import AwsPlace
from runner.model.deployment import Deployment
from runner.model.ec2 import Ec2Targets
from runner.model.manifest import GroupSettings

HERE = AwsPlace(region="eu-west-1")


class Site:
    """A store, an Auto Scaling group `web`, and what suspends its processes."""

    def __init__(self, folder: Path, aws: Cloud) -> None:
        self.aws, self.cloud, self.world = aws, Ec2World(aws), World(folder)
        self.cloud.auto_scaling_group("web", 0)
        self.suspending = self.again()
        self._commits = 0

    def again(self) -> Suspending:
        """Of the next process."""
        return Suspending(self.world.store.suspensions, Aws(), lambda: self.world.now)

    def deployment(self, application: str, *suspended: Any) -> Deployment:
        """One that has begun, of a group that names `web`."""
        ec2 = Ec2Targets(auto_scaling_groups=("web",), suspended=suspended)
        self._commits += 1
        (made,) = self.world.push(
            str(self._commits), manifest(group("staging", ec2=ec2, place=HERE), application=application)
        )
        return self.world.store.deployment(made)

    def end(self, deployment: Deployment) -> None:
        self.world.store.request_stop(deployment.id, self.world.now, rollback=False)
        self.world.store.advance([], self.world.now)
        assert self.world.store.deployment(deployment.id).status.is_terminal

    def suspended(self) -> set[str]:
        (found,) = self.cloud.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])[
            "AutoScalingGroups"
        ]
        return {each["ProcessName"] for each in found["SuspendedProcesses"]}

    def kinds(self, deployment: Deployment) -> list[str]:
        return [each.kind for each in self.world.store.journal(deployment.id) if each.kind.startswith("processes")]


@pytest.fixture
def site(tmp_path: Path, aws: Cloud) -> Iterator[Site]:
    made = Site(tmp_path, aws)
    yield made
    made.world.store.close()


def test_they_are_suspended_until_the_deployment_has_ended(site: Site) -> None:
    deployment = site.deployment("shop", "Terminate", "AZRebalance")
    site.suspending.suspend(deployment)
    assert site.suspended() == {"Terminate", "AZRebalance"}
    assert site.suspending.resume() and site.suspended() == {"Terminate", "AZRebalance"}
    site.end(deployment)
    assert site.again().resume() and site.suspended() == set()
    assert site.kinds(deployment) == ["processes suspended", "processes resumed"]
    site.aws.forget()
    assert site.again().resume() and site.aws.calls() == []


def test_what_somebody_else_had_suspended_stays_so(site: Site) -> None:
    site.cloud.autoscaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Terminate"])
    deployment = site.deployment("shop", "Terminate", "AZRebalance")
    for suspending in (site.suspending, site.again()):  # the second time, after a crash, it would all look suspended
        suspending.suspend(deployment)
    site.end(deployment)
    assert site.suspending.resume() and site.suspended() == {"Terminate"}


def test_the_last_of_two_deployments_resumes_what_both_need(site: Site) -> None:
    one, two = site.deployment("one", "Terminate", "AZRebalance"), site.deployment("two", "AZRebalance")
    for each in (one, two):
        site.suspending.suspend(each)
    site.end(one)
    assert site.suspending.resume() and site.suspended() == {"AZRebalance"}
    site.end(two)
    assert site.suspending.resume() and site.suspended() == set()


def test_a_crash_between_record_and_call_leaves_nothing_suspended(site: Site) -> None:
    deployment = site.deployment("shop", "Terminate")
    site.aws.cut("autoscaling", "SuspendProcesses", times=None, carried_out=True)
    site.suspending = Suspending(site.world.store.suspensions, Impatient(), lambda: site.world.now)
    with pytest.raises(AwsError):
        site.suspending.suspend(deployment)
    assert site.suspended() == {"Terminate"}
    site.aws.mend()
    site.end(deployment)
    assert site.again().resume() and site.suspended() == set()


def test_a_deployment_that_has_ended_meanwhile_suspends_nothing(site: Site) -> None:
    deployment = site.deployment("shop", "Terminate")
    site.suspending.suspend(deployment)
    site.end(deployment)
    assert site.suspending.resume()
    site.suspending.suspend(deployment)
    assert site.suspended() == set()


def test_what_cannot_be_resumed_is_told_once_and_tried_again(site: Site) -> None:
    deployment = site.deployment("shop", "Terminate")
    site.suspending.suspend(deployment)
    site.end(deployment)
    site.aws.deny("autoscaling", "ResumeProcesses")
    assert not site.suspending.resume() and not site.suspending.resume()
    assert site.kinds(deployment) == ["processes suspended", "processes not resumed"]
    told = site.world.store.journal(deployment.id)[-1].details
    assert "autoscaling:ResumeProcesses" in told["message"] and told["group"] == "web"
    site.aws.mend()
    assert site.suspending.resume() and site.suspended() == set()


def test_a_group_that_was_deleted_is_forgotten(site: Site) -> None:
    deployment = site.deployment("shop", "Terminate")
    site.suspending.suspend(deployment)
    site.cloud.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    site.end(deployment)
    assert site.suspending.resume()
    assert site.world.store.suspensions.over() == []


def test_a_group_that_wants_none_costs_no_call(site: Site) -> None:
    site.aws.forget()
    deployment = site.deployment("shop")
    site.suspending.suspend(deployment)
    assert site.aws.calls() == []
    settings: GroupSettings = replace(deployment.settings, ec2=Ec2Targets(suspended=("Terminate",)))
    site.suspending.suspend(replace(deployment, settings=settings))
    assert site.aws.calls() == []


class Impatient(Aws):
    """Does not try again."""

    def call(self, *of: Any, **more: Any) -> dict[str, Any]:
        return super().call(*of, **{**more, "patience": 0.0})
