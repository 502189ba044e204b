"""Requests against CodeDeploy's model: what is taken, and by which exception the rest is refused."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.awsjson import models
from runner.api.awsjson.service import Service
from runner.errors import Refused

SERVICE = Service("CodeDeploy_20141006", "codedeploy", models.codedeploy, {}, strict=True)
AGENTS = Service("CodeDeployCommandService_v20141006", "codedeploy-commands", models.commands, {}, strict=True)

A_DEPLOYMENT = {"applicationName": "shop", "deploymentGroupName": "prod"}


def read(operation: str, request: Any, service: Service = SERVICE) -> dict[str, Any]:
    return service.read(operation, request if isinstance(request, bytes) else json.dumps(request).encode())


def refused(operation: str, request: Any, service: Service = SERVICE) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        read(operation, request, service)
    return caught.value.code.removesuffix("Exception"), caught.value.message


def test_unknown_members_are_ignored_and_nulls_are_absent() -> None:
    request = {"applicationName": "shop", "computePlatform": None, "colour": {"deep": [1]}}
    assert read("CreateApplication", request) == {"applicationName": "shop"}


def test_no_body_is_an_empty_object() -> None:
    assert read("ListApplications", b"") == {}


def test_of_a_repeated_member_the_last_one_counts() -> None:
    assert read("GetApplication", b'{"applicationName": "a", "applicationName": "b"}') == {"applicationName": "b"}


@pytest.mark.parametrize(
    "sent",
    [1.5, "1970-01-01T00:00:01.5Z", "1970-01-01T01:00:01.500+01:00", "1970-01-01T00:00:01.5"],
)
def test_times_are_numbers_or_iso_8601(sent: Any) -> None:
    expected = dt.datetime(1970, 1, 1, 0, 0, 1, 500000, dt.UTC)
    assert read("ListDeployments", {"createTimeRange": {"start": sent}}) == {"createTimeRange": {"start": expected}}


@pytest.mark.parametrize("sent", [True, "yesterday", 1e18, -1e18, 10**400, [], "2026-13-01"])
def test_what_is_no_time_is_refused(sent: Any) -> None:
    assert refused("ListDeployments", {"createTimeRange": {"end": sent}})[0] == "Serialization"


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("GetApplication", [], "the body has to be a JSON object"),
        ("GetApplication", {"applicationName": 1}, "applicationName: should be a string, not a number"),
        ("BatchGetApplications", {"applicationNames": "a"}, "applicationNames: should be a list, not a string"),
        (
            "BatchGetApplications",
            {"applicationNames": ["a", 1]},
            "applicationNames[1]: should be a string, not a number",
        ),
        ("CreateDeployment", {"revision": []}, "revision: should be an object, not a list"),
        ("CreateDeployment", {"ignoreApplicationStopFailures": 1}, "should be true or false, not a number"),
        ("CreateDeploymentConfig", {"minimumHealthyHosts": {"value": True}}, "should be a whole number, not a boolean"),
        ("CreateDeploymentConfig", {"minimumHealthyHosts": {"value": 1.0}}, "value: should be a whole number"),
        ("CreateDeploymentConfig", {"minimumHealthyHosts": {"value": 2**31}}, "between -2147483648 and 2147483647"),
        (
            "ListDeploymentTargets",
            {"targetFilters": {"TargetStatus": {}}},
            "targetFilters.TargetStatus: should be a list",
        ),
    ],
)
def test_a_wrong_json_type_is_a_serialization_exception(operation: str, request_: Any, message: str) -> None:
    code, told = refused(operation, request_)
    assert code == "Serialization"
    assert message in told


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[" * 200_000,
        b'{"a":' * 20_000,
        b"NaN",
        b'{"a": 1e999}',
        b"9" * 5000,
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
    ],
)
def test_hostile_json_is_a_serialization_exception(body: bytes) -> None:
    assert refused("GetApplication", body)[0] == "Serialization"


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("GetApplication", {}, "ApplicationNameRequired"),
        ("GetApplication", {"applicationName": ""}, "ApplicationNameRequired"),
        ("CreateDeployment", {"applicationName": "shop"}, "DeploymentGroupNameRequired"),
        ("UpdateDeploymentGroup", {"applicationName": "shop"}, "DeploymentGroupNameRequired"),
        ("CreateDeploymentGroup", A_DEPLOYMENT, "RoleRequired"),
        ("BatchGetDeployments", {"deploymentIds": []}, "DeploymentIdRequired"),
        ("ContinueDeployment", {}, "DeploymentIdRequired"),
        ("GetDeploymentTarget", {"deploymentId": "d-ABCDEFGHI"}, "DeploymentTargetIdRequired"),
        ("AddTagsToOnPremisesInstances", {"instanceNames": ["a"]}, "TagRequired"),
        ("AddTagsToOnPremisesInstances", {"tags": [{"Key": "a"}], "instanceNames": []}, "InstanceNameRequired"),
        ("TagResource", {"Tags": []}, "ResourceArnRequired"),
        ("UntagResource", {"ResourceArn": "a", "TagKeys": []}, "TagRequired"),
        ("RegisterApplicationRevision", {"applicationName": "shop"}, "RevisionRequired"),
        ("DeleteGitHubAccountToken", {}, "GitHubAccountTokenNameRequired"),
    ],
)
def test_what_is_missing_has_its_own_exception(operation: str, request_: Any, code: str) -> None:
    assert refused(operation, request_)[0] == code


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("CreateApplication", {"applicationName": "x" * 101}, "InvalidApplicationName"),
        ("CreateApplication", {"applicationName": "a:b"}, "InvalidApplicationName"),
        ("CreateApplication", {"applicationName": "a\n"}, "InvalidApplicationName"),
        ("CreateApplication", {"applicationName": "a", "computePlatform": "server"}, "InvalidComputePlatform"),
        ("CreateApplication", {"applicationName": "a", "tags": [None]}, "InvalidTagsToAdd"),
        ("UpdateApplication", {"applicationName": "a", "newApplicationName": "/"}, "InvalidApplicationName"),
        ("CreateDeployment", {**A_DEPLOYMENT, "fileExistsBehavior": "KEEP"}, "InvalidFileExistsBehavior"),
        ("CreateDeployment", {**A_DEPLOYMENT, "description": "x" * 257}, "DescriptionTooLong"),
        ("CreateDeployment", {**A_DEPLOYMENT, "revision": {"revisionType": "Tape"}}, "InvalidRevision"),
        ("CreateDeployment", {**A_DEPLOYMENT, "deploymentMode": "AGAIN"}, "InvalidInput"),
        ("CreateDeployment", {**A_DEPLOYMENT, "overrideAlarmConfiguration": {"alarms": [None]}}, "InvalidAlarmConfig"),
        (
            "CreateDeployment",
            {**A_DEPLOYMENT, "targetInstances": {"tagFilters": [{"Type": "ANY"}]}},
            "InvalidTargetInstances",
        ),
        (
            "CreateDeployment",
            {**A_DEPLOYMENT, "autoRollbackConfiguration": {"events": ["RAIN"]}},
            "InvalidAutoRollbackConfig",
        ),
        (
            "CreateDeploymentConfig",
            {"deploymentConfigName": "a", "minimumHealthyHosts": {"type": "MOST_CONCURRENCY", "value": 1}},
            "InvalidMinimumHealthyHostValue",
        ),
        ("GetDeployment", {"deploymentId": "d-abc"}, "InvalidDeploymentId"),
        ("BatchGetDeployments", {"deploymentIds": ["d-ABCDEFGHI", "x"]}, "InvalidDeploymentId"),
        ("ListDeployments", {"includeOnlyStatuses": ["Asleep"]}, "InvalidDeploymentStatus"),
        (
            "ListDeploymentTargets",
            {"deploymentId": "d-ABCDEFGHI", "targetFilters": {"Colour": []}},
            "InvalidTargetFilterName",
        ),
        ("ListApplicationRevisions", {"applicationName": "a", "sortBy": "size"}, "InvalidSortBy"),
        ("ListApplicationRevisions", {"applicationName": "a", "deployed": "maybe"}, "InvalidDeployedStateFilter"),
        ("ListOnPremisesInstances", {"registrationStatus": "Lost"}, "InvalidRegistrationStatus"),
        ("ListOnPremisesInstances", {"tagFilters": [{"Type": "ANY"}]}, "InvalidTagFilter"),
        (
            "PutLifecycleEventHookExecutionStatus",
            {"deploymentId": "d-ABCDEFGHI", "status": "Fine"},
            "InvalidLifecycleEventHookExecutionStatus",
        ),
        ("BatchGetDeployments", {"deploymentIds": ["d-ABCDEFGHI"] * 26}, "BatchLimitExceeded"),
        ("BatchGetApplications", {"applicationNames": ["a"] * 101}, "BatchLimitExceeded"),
        (
            "BatchGetDeploymentTargets",
            {"deploymentId": "d-ABCDEFGHI", "targetIds": ["a"] * 26},
            "DeploymentTargetListSizeExceeded",
        ),
    ],
)
def test_what_is_not_allowed_has_its_members_exception(operation: str, request_: Any, code: str) -> None:
    assert refused(operation, request_)[0] == code


def test_the_longest_of_what_is_allowed_is_taken() -> None:
    read("CreateApplication", {"applicationName": "x" * 100})
    read("CreateDeployment", {**A_DEPLOYMENT, "description": "é" * 256})
    read("BatchGetDeployments", {"deploymentIds": ["d-ABCDEFGHI"] * 25})


def test_types_come_before_what_is_missing_and_that_before_what_is_not_allowed() -> None:
    assert refused("GetDeploymentGroup", {"applicationName": "a:b", "deploymentGroupName": 1})[0] == "Serialization"
    assert refused("GetDeploymentGroup", {"applicationName": "a:b"})[0] == "DeploymentGroupNameRequired"
    assert refused("BatchGetDeployments", {"deploymentIds": ["x"] * 26})[0] == "InvalidDeploymentId"


def test_the_agents_service_has_one_exception() -> None:
    assert refused("PollHostCommand", {}, AGENTS) == ("Client", "HostIdentifier: is required")
    done = {"HostCommandIdentifier": "x", "CommandStatus": "Pending"}
    assert refused("PutHostCommandComplete", done, AGENTS)[0] == "Client"


def test_every_exception_in_the_tables_is_declared_somewhere() -> None:
    from runner.api.awsjson import rules

    known = {name for name, shape in models.codedeploy()["shapes"].items() if shape.get("exception")}
    named = {f"{stem}Exception" for stems in rules._INVALID.values() for stem in stems}
    assert named <= known
    assert {code for _, _, code in rules.BATCHES.values()} <= known
    assert {f"{word}RequiredException" for word in rules._MISSING.values()} <= known


def test_every_member_that_a_declared_exception_speaks_of_is_checked_against_it() -> None:
    """Each operation's required members have an exception of their own, wherever any is declared."""
    from runner.api.awsjson import rules

    for name, operation in models.codedeploy()["operations"].items():
        declared = {error["shape"] for error in operation["errors"]}
        takes = models.codedeploy()["shapes"][operation["input"]["shape"]]
        for member in takes.get("required", ()):
            assert rules.missing(member, declared), (name, member)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.sampled_from(sorted(models.codedeploy()["operations"])), st.binary() | JSON.map(lambda v: json.dumps(v).encode())
)
def test_nothing_but_a_refusal_comes_of_arbitrary_bodies(operation: str, body: bytes) -> None:
    try:
        assert isinstance(SERVICE.read(operation, body), dict)
    except Refused as error:
        assert error.message
