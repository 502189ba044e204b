"""Tags of applications, groups and configurations through boto3, by their ARNs."""

import pytest
from catalog_rig import ARN, Catalog, refused

ONE = [{"Key": "a", "Value": "1"}]


def test_tags_come_go_and_follow_a_rename(server: Catalog) -> None:
    server.application()
    server.group()
    server.client.create_deployment_config(
        deploymentConfigName="most", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
    )
    client = server.client
    for resource in ("application:shop", "deploymentgroup:shop/production", "deploymentconfig:most"):
        arn = ARN + resource
        client.tag_resource(ResourceArn=arn, Tags=[*ONE, {"Key": "b", "Value": ""}])
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
        client.untag_resource(ResourceArn=arn, TagKeys=["b", "unknown"])
        assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
    client.update_deployment_group(
        applicationName="shop", currentDeploymentGroupName="production", newDeploymentGroupName="live"
    )
    client.update_application(applicationName="shop", newApplicationName="store")
    found = client.list_tags_for_resource(ResourceArn=f"{ARN}deploymentgroup:store/live")["Tags"]
    assert found == [{"Key": "a", "Value": "2"}]


@pytest.mark.parametrize(
    ("code", "arn"),
    [
        ("InvalidArn", "nonsense"),
        ("InvalidArn", "arn:aws:s3:::bucket"),
        ("InvalidArn", "arn:aws:codedeploy:us-east-1:111111111111:application:shop"),
        ("InvalidArn", "arn:aws:codedeploy:eu-west-1:000000000000:application:shop"),
        ("InvalidArn", f"{ARN}deploymentgroup:shop"),
        ("InvalidArn", f"{ARN}application:"),
        ("ArnNotSupported", f"{ARN}instance/web-1"),
        ("ArnNotSupported", f"{ARN}deployment:d-ABCDEFGHI"),
        ("ApplicationDoesNotExist", f"{ARN}application:nobody"),
        ("ApplicationDoesNotExist", f"{ARN}deploymentgroup:nobody/x"),
        ("DeploymentGroupDoesNotExist", f"{ARN}deploymentgroup:shop/nobody"),
        ("DeploymentConfigDoesNotExist", f"{ARN}deploymentconfig:nobody"),
    ],
)
def test_what_an_arn_does_not_name_has_its_exception(shared: Catalog, code: str, arn: str) -> None:
    refused(code, shared.client.tag_resource, ResourceArn=arn, Tags=ONE)
    refused(code, shared.client.untag_resource, ResourceArn=arn, TagKeys=["a"])
    only = code if "Arn" in code else "InvalidArn"  # listing declares no others
    refused(only, shared.client.list_tags_for_resource, ResourceArn=arn)


def test_a_resource_has_50_tags_at_most(server: Catalog) -> None:
    server.application()
    arn = f"{ARN}application:shop"
    server.client.tag_resource(ResourceArn=arn, Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(50)])
    server.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "k7", "Value": "new"}])
    refused("InvalidTagsToAdd", server.client.tag_resource, ResourceArn=arn, Tags=ONE)
    refused("TagRequired", server.client.tag_resource, ResourceArn=arn, Tags=[])
    refused("InvalidTagsToAdd", server.client.tag_resource, ResourceArn=arn, Tags=[{"Key": "", "Value": "x"}])


def test_github_tokens_are_not_kept_here(shared: Catalog) -> None:
    assert shared.client.list_git_hub_account_token_names()["tokenNameList"] == []
    refused("GitHubAccountTokenDoesNotExist", shared.client.delete_git_hub_account_token, tokenName="mine")
    refused("GitHubAccountTokenNameRequired", shared.client.delete_git_hub_account_token)
    shared.client.delete_resources_by_external_id(externalId="stack")
