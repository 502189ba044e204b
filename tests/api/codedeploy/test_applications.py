"""Applications through boto3: made, found, listed, renamed, deleted; and those of manifests, which are left alone."""

import pytest
from catalog_rig import ARN, Catalog, refused
from store_cases import manifest

from runner.errors import ApplicationAlreadyExists
from runner.model.application import Application


def test_an_application_is_made_and_found(server: Catalog) -> None:
    made = server.application(computePlatform="Lambda", tags=[{"Key": "team", "Value": "blue"}])
    info = server.client.get_application(applicationName="shop")["application"]
    assert (info["applicationId"], info["applicationName"]) == (made, "shop")
    assert (info["computePlatform"], info["linkedToGitHub"]) == ("Lambda", False)
    assert info["createTime"].tzinfo is not None
    tags = server.client.list_tags_for_resource(ResourceArn=f"{ARN}application:shop")["Tags"]
    assert tags == [{"Key": "team", "Value": "blue"}]


def test_applications_are_for_servers_unless_told_otherwise(server: Catalog) -> None:
    server.application()
    assert server.client.get_application(applicationName="shop")["application"]["computePlatform"] == "Server"


def test_names_are_case_sensitive(server: Catalog) -> None:
    assert server.application("shop") != server.application("Shop")
    refused("ApplicationDoesNotExist", server.client.get_application, applicationName="SHOP")


def test_a_name_is_given_once(server: Catalog) -> None:
    server.application()
    refused("ApplicationAlreadyExists", server.application)


def test_a_batch_with_an_unknown_name_is_refused_whole(server: Catalog) -> None:
    server.application()
    refused("ApplicationDoesNotExist", server.client.batch_get_applications, applicationNames=["shop", "other"])
    found = server.client.batch_get_applications(applicationNames=["shop", "shop"])["applicationsInfo"]
    assert [each["applicationName"] for each in found] == ["shop"]


def test_a_batch_has_a_limit(server: Catalog) -> None:
    names = [f"a{number}" for number in range(101)]
    refused("BatchLimitExceeded", server.client.batch_get_applications, applicationNames=names)


def many(server: Catalog, count: int) -> None:
    with server.store._db.write():
        for number in range(count):
            name = f"a{number:03}"
            server.store.catalog.applications.create(
                Application(id=name, name=name, platform="Server", created_at=server.now)
            )


def test_there_are_at_most_a_thousand(server: Catalog) -> None:
    many(server, 1000)
    refused("ApplicationLimitExceeded", server.application)


def test_a_listing_goes_on_where_it_was_whatever_comes_and_goes(server: Catalog) -> None:
    many(server, 150)
    first = server.client.list_applications()
    assert len(first["applications"]) == 100
    server.application("a000-new")  # behind us
    server.application("a120-new")  # before us
    server.client.delete_application(applicationName="a099")  # the very last that we saw
    second = server.client.list_applications(nextToken=first["nextToken"])
    assert "nextToken" not in second
    expected = sorted([f"a{number:03}" for number in range(100, 150)] + ["a120-new"])
    assert second["applications"] == expected


def test_a_token_of_another_listing_is_refused(server: Catalog) -> None:
    many(server, 101)
    token = server.client.list_applications()["nextToken"]
    refused("InvalidNextToken", server.client.list_deployment_configs, nextToken=token)
    refused("InvalidNextToken", server.client.list_applications, nextToken="nonsense")


def test_a_renamed_application_keeps_all_that_it_has(server: Catalog) -> None:
    made = server.application(tags=[{"Key": "team", "Value": "blue"}])
    group = server.group()
    revision = {"revisionType": "GitHub", "gitHubLocation": {"repository": "o/n", "commitId": "a" * 40}}
    server.client.register_application_revision(applicationName="shop", revision=revision)
    server.client.update_application(applicationName="shop", newApplicationName="store")
    assert server.client.get_application(applicationName="store")["application"]["applicationId"] == made
    assert server.info(application="store")["deploymentGroupId"] == group
    assert server.client.list_application_revisions(applicationName="store")["revisions"] == [revision]
    assert server.client.list_tags_for_resource(ResourceArn=f"{ARN}application:store")["Tags"]
    refused("ApplicationDoesNotExist", server.client.get_application, applicationName="shop")
    assert server.application("shop") != made


def test_a_rename_takes_no_name_that_another_has(server: Catalog) -> None:
    server.application("shop")
    server.application("store")
    rename = server.client.update_application
    refused("ApplicationAlreadyExists", rename, applicationName="shop", newApplicationName="store")
    refused("ApplicationDoesNotExist", rename, applicationName="nobody", newApplicationName="other")
    rename(applicationName="shop", newApplicationName="shop")
    assert server.client.list_applications()["applications"] == ["shop", "store"]


def test_what_is_deleted_is_gone_with_all_that_it_had(server: Catalog) -> None:
    made = server.application(tags=[{"Key": "team", "Value": "blue"}])
    server.group(tags=[{"Key": "a", "Value": "b"}])
    server.client.delete_application(applicationName="shop")
    server.client.delete_application(applicationName="shop")
    assert server.client.list_applications()["applications"] == []
    assert server.application() != made
    assert server.client.list_deployment_groups(applicationName="shop")["deploymentGroups"] == []
    assert server.client.list_tags_for_resource(ResourceArn=f"{ARN}application:shop")["Tags"] == []


def test_an_application_of_a_manifest_is_changed_in_its_repository_alone(server: Catalog) -> None:
    server.push("a")
    client, where = server.client, "penstock.yaml of repository shop"
    names = {"applicationName": "shop", "deploymentGroupName": "staging"}
    role = "arn:aws:iam::123456789012:role/r"
    assert client.get_application(applicationName="shop")["application"]["computePlatform"] == "Server"
    assert where in refused("OperationNotSupported", client.delete_application, applicationName="shop")
    rename = {"applicationName": "shop", "newApplicationName": "x"}
    assert where in refused("OperationNotSupported", client.update_application, **rename)
    new = {"applicationName": "shop", "deploymentGroupName": "new", "serviceRoleArn": role}
    assert where in refused("OperationNotSupported", client.create_deployment_group, **new)
    assert where in refused("OperationNotSupported", client.delete_deployment_group, **names)
    update = {"applicationName": "shop", "currentDeploymentGroupName": "staging"}
    assert where in refused("OperationNotSupported", client.update_deployment_group, **update)
    client.tag_resource(ResourceArn=f"{ARN}application:shop", Tags=[{"Key": "a", "Value": "b"}])


def test_a_manifest_takes_over_no_application_of_the_api(server: Catalog) -> None:
    server.application()
    with pytest.raises(ApplicationAlreadyExists, match=r"shop was made through the API; delete it there first, or"):
        server.push("a", manifest())


def test_an_application_with_a_deployment_under_way_is_not_deleted(server: Catalog) -> None:
    (first, _) = server.push("a")
    with server.store._db.write() as tx:  # as if the API had made it
        tx.exec_driver_sql("UPDATE applications SET repository = NULL, file = NULL")
    message = refused("InvalidOperation", server.client.delete_application, applicationName="shop")
    assert first in message


def test_the_history_goes_with_the_application(server: Catalog) -> None:
    server.push("a")
    server.settle()
    deployments = [each.id for each in server.store.deployments()]
    with server.store._db.write() as tx:
        tx.exec_driver_sql("UPDATE applications SET repository = NULL, file = NULL")
    server.client.delete_application(applicationName="shop")
    assert len(deployments) == 2
    assert server.store.deployments() == []
    assert server.store.state().groups == ()
    with server.store._db.read() as tx:
        tables = ("journal", "outbox", "targets", "lifecycle_events", "instance_health", "releases", "revisions")
        left = [table for table in tables if tx.exec_driver_sql(f"SELECT 1 FROM {table}").first()]
    assert left == []
    assert not server.store.advance([], server.now).actions
