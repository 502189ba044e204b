"""Statements 4 to 6, 8, 10 and 12 to 14 of the fifty, and what of 3 is about applications: boto3 over a real socket."""

from collections.abc import Iterator
from typing import Any

import pytest
from catalog_rig import ROLE, Catalog, refused, serving


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with serving(tmp_path_factory.mktemp("catalog")) as made:
        made.application()
        yield made


def test_statement_3_a_batch_of_applications_with_an_unknown_one_is_refused(server: Catalog) -> None:
    refused("ApplicationDoesNotExist", server.client.batch_get_applications, applicationNames=["shop", "nobody"])


def test_statement_4_a_batch_of_groups_tells_of_an_unknown_one_and_gives_the_rest(server: Catalog) -> None:
    server.group()
    got = server.client.batch_get_deployment_groups(
        applicationName="shop", deploymentGroupNames=["nobody", "production"]
    )
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [each["deploymentGroupName"] for each in got["deploymentGroupsInfo"]] == ["production"]
    assert "nobody" in got["errorMessage"]


def test_statement_5_what_may_be_deleted(server: Catalog) -> None:
    gone = server.client.delete_application(applicationName="nobody")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 200
    delete = server.client.delete_deployment_config
    refused("InvalidOperation", delete, deploymentConfigName="CodeDeployDefault.OneAtATime")
    server.client.create_deployment_config(
        deploymentConfigName="mine", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
    )
    server.group(deploymentConfigName="mine")
    refused("DeploymentConfigInUse", delete, deploymentConfigName="mine")


def test_statement_6_one_at_a_time_reports_a_type_that_nobody_may_set(server: Catalog) -> None:
    got = server.client.get_deployment_config(deploymentConfigName="CodeDeployDefault.OneAtATime")
    assert got["deploymentConfigInfo"]["minimumHealthyHosts"] == {"type": "MOST_CONCURRENCY", "value": 1}
    refused(
        "InvalidMinimumHealthyHostValue",
        server.client.create_deployment_config,
        deploymentConfigName="mine",
        minimumHealthyHosts={"type": "MOST_CONCURRENCY", "value": 1},
    )


def test_statement_8_a_prefix_needs_a_bucket(server: Catalog) -> None:
    call = server.client.list_application_revisions
    refused("BucketNameFilterRequired", call, applicationName="shop", s3KeyPrefix="releases/")


def test_statement_10_a_revision_with_an_etag_is_not_found_without(server: Catalog) -> None:
    location = {"bucket": "releases", "key": "shop.zip", "bundleType": "zip"}
    revision = {"revisionType": "S3", "s3Location": {**location, "eTag": "0123456789abcdef0123456789abcdef"}}
    server.client.register_application_revision(applicationName="shop", revision=revision)
    bare = {"revisionType": "S3", "s3Location": location}
    refused("RevisionDoesNotExist", server.client.get_application_revision, applicationName="shop", revision=bare)


def test_statement_12_auto_scaling_groups_stay_or_are_detached(server: Catalog) -> None:
    server.group(autoScalingGroups=["fleet"])
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    server.client.update_deployment_group(**update, deploymentConfigName="CodeDeployDefault.AllAtOnce")
    assert server.info()["autoScalingGroups"] == [{"name": "fleet"}]
    assert server.client.update_deployment_group(**update, autoScalingGroups=[])["hooksNotCleanedUp"] == []
    assert server.info()["autoScalingGroups"] == []


def test_statement_13_tags_have_one_form(server: Catalog) -> None:
    tag = {"Key": "stage", "Value": "live", "Type": "KEY_AND_VALUE"}
    both: dict[str, Any] = {"ec2TagFilters": [tag], "ec2TagSet": {"ec2TagSetList": [[tag]]}}
    names = {"applicationName": "shop", "deploymentGroupName": "production", "serviceRoleArn": ROLE}
    refused("InvalidEC2TagCombination", server.client.create_deployment_group, **names, **both)
    server.group()
    update = {"applicationName": "shop", "currentDeploymentGroupName": "production"}
    refused("InvalidEC2TagCombination", server.client.update_deployment_group, **update, **both)


def test_statement_14_who_continues_at_once_waits_for_nothing(server: Catalog) -> None:
    ready = {"actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 30}
    names = {"applicationName": "shop", "deploymentGroupName": "production", "serviceRoleArn": ROLE}
    message = refused(
        "InvalidBlueGreenDeploymentConfiguration",
        server.client.create_deployment_group,
        **names,
        blueGreenDeploymentConfiguration={"deploymentReadyOption": ready},
    )
    assert "CONTINUE_DEPLOYMENT" in message
