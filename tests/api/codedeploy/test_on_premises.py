"""On-premises instances through boto3, and the hosts of the configuration among them."""

from typing import Any

import pytest
from catalog_rig import USER, Catalog, refused

from runner.model.application import OnPremisesInstance
from runner.model.target import Host

SESSION = "arn:aws:sts::123456789012:assumed-role/agents/"


def register(server: Catalog, *names: str, **tags: str) -> None:
    for name in names:
        server.client.register_on_premises_instance(instanceName=name, iamUserArn=USER + name)
    if tags:
        server.client.add_tags_to_on_premises_instances(instanceNames=list(names), tags=tag_list(**tags))


def tag_list(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def info(server: Catalog, name: str) -> dict[str, Any]:
    return server.client.get_on_premises_instance(instanceName=name)["instanceInfo"]


def names(server: Catalog, **filters: Any) -> list[str]:
    return server.client.list_on_premises_instances(**filters)["instanceNames"]


def test_an_instance_is_registered_tagged_and_found(server: Catalog) -> None:
    register(server, "web-1", stage="live", role="web")
    got = info(server, "web-1")
    assert got.pop("registerTime").tzinfo is not None
    assert got == {
        "instanceName": "web-1",
        "iamUserArn": USER + "web-1",
        "instanceArn": "arn:aws:codedeploy:us-east-1:000000000000:instance/web-1",
        "tags": tag_list(role="web", stage="live"),
    }
    batch = server.client.batch_get_on_premises_instances(instanceNames=["nobody", "web-1"])["instanceInfos"]
    assert [each["instanceName"] for each in batch] == ["web-1"]
    refused("InstanceNotRegistered", server.client.get_on_premises_instance, instanceName="nobody")


def test_a_registered_instance_is_a_host_whose_agent_asks(server: Catalog) -> None:
    register(server, "web-1", stage="live")
    hosts = [each.host for each in server.store.catalog.instances.registered()]
    assert hosts == [Host(name="web-1", transport="agent", tags={"stage": "live"})]


@pytest.mark.parametrize(
    ("code", "members"),
    [
        ("InstanceNameRequired", {"instanceName": "", "iamUserArn": USER + "x"}),
        ("InvalidInstanceName", {"instanceName": "a:b", "iamUserArn": USER + "x"}),
        ("InvalidInstanceName", {"instanceName": "a/b", "iamUserArn": USER + "x"}),
        ("InvalidInstanceName", {"instanceName": "a" * 101, "iamUserArn": USER + "x"}),
        ("IamArnRequired", {"instanceName": "a"}),
        ("IamUserArnRequired", {"instanceName": "a", "iamUserArn": ""}),
        ("MultipleIamArnsProvided", {"instanceName": "a", "iamUserArn": USER + "a", "iamSessionArn": SESSION + "a"}),
        ("InvalidIamUserArn", {"instanceName": "a", "iamUserArn": SESSION + "a"}),
        ("InvalidIamSessionArn", {"instanceName": "a", "iamSessionArn": USER + "a"}),
    ],
)
def test_what_is_wrong_with_an_instance_has_its_exception(shared: Catalog, code: str, members: dict[str, str]) -> None:
    refused(code, shared.client.register_on_premises_instance, **members)


def test_names_and_arns_are_registered_once(server: Catalog) -> None:
    call = server.client.register_on_premises_instance
    call(instanceName="a", iamUserArn=USER + "a")
    call(instanceName="b", iamSessionArn=SESSION + "b")
    refused("InstanceNameAlreadyRegistered", call, instanceName="a", iamUserArn=USER + "new")
    refused("InstanceNameAlreadyRegistered", call, instanceName="a", iamUserArn=USER + "a")
    refused("IamUserArnAlreadyRegistered", call, instanceName="c", iamUserArn=USER + "a")
    refused("IamSessionArnAlreadyRegistered", call, instanceName="c", iamSessionArn=SESSION + "b")
    assert names(server) == ["a", "b"]


def test_a_deregistered_name_may_be_registered_again(server: Catalog) -> None:
    register(server, "a", "b", stage="live")
    server.client.deregister_on_premises_instance(instanceName="a")
    server.client.deregister_on_premises_instance(instanceName="a")
    server.client.deregister_on_premises_instance(instanceName="nobody")
    assert info(server, "a")["deregisterTime"] >= info(server, "a")["registerTime"]
    assert names(server) == ["a", "b"]
    assert names(server, registrationStatus="Registered") == ["b"]
    assert names(server, registrationStatus="Deregistered") == ["a"]
    refused("InstanceNotRegistered", tagged(server), instanceNames=["b", "a"], tags=tag_list(x="y"))
    assert info(server, "b")["tags"] == tag_list(stage="live")
    register(server, "a")
    assert "deregisterTime" not in info(server, "a")
    assert info(server, "a")["tags"] == []
    assert names(server, registrationStatus="Deregistered") == []


def tagged(server: Catalog) -> Any:
    return server.client.add_tags_to_on_premises_instances


def test_tags_are_added_replaced_and_removed(server: Catalog) -> None:
    register(server, "a", "b", stage="test", role="web")
    tagged(server)(instanceNames=["a", "b"], tags=tag_list(stage="live"))
    assert info(server, "b")["tags"] == tag_list(role="web", stage="live")
    remove = server.client.remove_tags_from_on_premises_instances
    remove(instanceNames=["a"], tags=tag_list(stage="test", role="web"))  # the first is not its value
    assert info(server, "a")["tags"] == tag_list(stage="live")


def test_tags_have_keys_values_and_limits(server: Catalog) -> None:
    register(server, "a", x="y")
    refused("TagRequired", tagged(server), instanceNames=["a"], tags=[])
    refused("InvalidTag", tagged(server), instanceNames=["a"], tags=[{"Value": "alone"}])
    refused("InvalidTag", tagged(server), instanceNames=["a"], tags=[{"Key": "alone"}])
    refused("InvalidTag", tagged(server), instanceNames=["a"], tags=tag_list(**{"k" * 129: "v"}))
    many = {f"k{number}": "v" for number in range(10)}
    refused("TagLimitExceeded", tagged(server), instanceNames=["a"], tags=tag_list(**many))
    refused("TagLimitExceeded", tagged(server), instanceNames=["a"], tags=tag_list(**many) * 1000)
    refused("InstanceNameRequired", tagged(server), instanceNames=[], tags=tag_list(a="b"))
    refused("InstanceLimitExceeded", tagged(server), instanceNames=[f"i{n}" for n in range(101)], tags=tag_list(a="b"))
    assert info(server, "a")["tags"] == tag_list(x="y")


def test_a_listing_is_narrowed_by_any_of_its_tag_filters(server: Catalog) -> None:
    register(server, "a", stage="live")
    register(server, "b", stage="test")
    register(server, "c", role="live")
    live = {"Key": "stage", "Value": "live", "Type": "KEY_AND_VALUE"}
    assert names(server, tagFilters=[live]) == ["a"]
    assert names(server, tagFilters=[{"Key": "stage", "Type": "KEY_ONLY"}]) == ["a", "b"]
    assert names(server, tagFilters=[{"Value": "live", "Type": "VALUE_ONLY"}]) == ["a", "c"]
    assert names(server, tagFilters=[live, {"Key": "role", "Type": "KEY_ONLY"}]) == ["a", "c"]
    call = server.client.list_on_premises_instances
    refused("InvalidTagFilter", call, tagFilters=[{"Type": "KEY_ONLY"}])
    refused("InvalidTagFilter", call, tagFilters=[{"Key": "a", "Type": "SOMEHOW"}])
    refused("InvalidRegistrationStatus", call, registrationStatus="Perhaps")


def test_hosts_of_the_configuration_are_shown_and_not_changed(server: Catalog) -> None:
    register(server, "b")
    server.configured = (Host(name="c", tags={"stage": "live"}), Host(name="a"), Host(name="b", tags={"now": "here"}))
    assert names(server) == ["a", "b", "c"]
    assert names(server, registrationStatus="Deregistered") == []
    assert names(server, tagFilters=[{"Key": "stage", "Type": "KEY_ONLY"}]) == ["c"]
    assert info(server, "c") == {
        "instanceName": "c",
        "instanceArn": "arn:aws:codedeploy:us-east-1:000000000000:instance/c",
        "tags": tag_list(stage="live"),
    }
    assert info(server, "b")["tags"] == tag_list(now="here")
    message = refused("OperationNotSupported", tagged(server), instanceNames=["c"], tags=tag_list(a="b"))
    assert "configuration; change it there" in message
    refused("OperationNotSupported", server.client.deregister_on_premises_instance, instanceName="c")
    register_it = server.client.register_on_premises_instance
    refused("InstanceNameAlreadyRegistered", register_it, instanceName="c", iamUserArn=USER + "c")


def test_a_thousand_instances_are_listed_in_pages_with_the_configured_among_them(server: Catalog) -> None:
    server.configured = tuple(Host(name=f"i{number:04}") for number in range(0, 1000, 3))
    with server.store._db.write():
        for number in range(1, 1000, 3):
            server.store.catalog.instances.register(
                OnPremisesInstance(
                    name=f"i{number:04}",
                    iam_user_arn=f"{USER}{number}",
                    registered_at=server.now,
                    tags={"odd": str(number % 2)},
                )
            )
    pages = list(server.client.get_paginator("list_on_premises_instances").paginate())
    found = [name for page in pages for name in page["instanceNames"]]
    assert [len(page["instanceNames"]) for page in pages] == [100] * 6 + [67]
    assert found == [f"i{number:04}" for number in range(1000) if number % 3 < 2]
    odd = [{"Key": "odd", "Value": "1", "Type": "KEY_AND_VALUE"}]
    assert names(server, tagFilters=odd)[:3] == ["i0001", "i0007", "i0013"]
