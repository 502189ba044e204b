"""Listings that are read page by page while others create and delete: nothing twice, and nothing left out that stays."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from catalog_rig import ROLE, USER, Catalog, refused, serving
from wire.world import Served, served

MANY = 130  # a page has 100


class Kind(NamedTuple):
    """*listing*: operation and member of the names. *make*, *remove*: one of that name."""

    listing: str
    member: str
    make: Callable[[Catalog, str], object]
    remove: Callable[[Catalog, str], object]
    filters: dict[str, str] = {}


KINDS = [
    Kind(
        "list_applications",
        "applications",
        lambda server, name: server.client.create_application(applicationName=name),
        lambda server, name: server.client.delete_application(applicationName=name),
    ),
    Kind(
        "list_deployment_groups",
        "deploymentGroups",
        lambda server, name: server.client.create_deployment_group(
            applicationName="shop", deploymentGroupName=name, serviceRoleArn=ROLE
        ),
        lambda server, name: server.client.delete_deployment_group(applicationName="shop", deploymentGroupName=name),
        {"applicationName": "shop"},
    ),
    Kind(
        "list_deployment_configs",
        "deploymentConfigsList",
        lambda server, name: server.client.create_deployment_config(
            deploymentConfigName=name, minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
        ),
        lambda server, name: server.client.delete_deployment_config(deploymentConfigName=name),
    ),
    Kind(
        "list_on_premises_instances",
        "instanceNames",
        lambda server, name: server.client.register_on_premises_instance(instanceName=name, iamUserArn=f"{USER}{name}"),
        lambda server, name: server.client.deregister_on_premises_instance(instanceName=name),
        {"registrationStatus": "Registered"},
    ),
]
TAGGED = "arn:aws:codedeploy:us-east-1:000000000000:application:blog"
LISTINGS: dict[str, dict[str, Any]] = {
    "list_application_revisions": {"applicationName": "blog"},
    "list_applications": {},
    "list_deployment_configs": {},
    "list_deployment_groups": {"applicationName": "blog"},
    "list_deployment_instances": {"deploymentId": "DEPLOYMENT"},
    "list_deployment_targets": {"deploymentId": "DEPLOYMENT"},
    "list_deployments": {},
    "list_git_hub_account_token_names": {},
    "list_on_premises_instances": {},
    "list_tags_for_resource": {"ResourceArn": TAGGED},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with serving(tmp_path_factory.mktemp("pages")) as made:
        made.application()
        yield made


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.listing)
def test_a_listing_goes_on_where_it_was_whatever_comes_and_goes(server: Catalog, kind: Kind) -> None:
    names = [f"n{number:03}" for number in range(0, 2 * MANY, 2)]
    for name in names:
        kind.make(server, name)
    listing = getattr(server.client, kind.listing)

    first = listing(**kind.filters)
    shown = first[kind.member]
    assert len(shown) == 100
    last = shown[-1]
    rest = [name for name in names if name > last]
    came_before, comes_after = "n001", f"{rest[3]}x"
    for gone in (names[0], last, rest[0], rest[-1]):  # the one that the token stands on, too
        kind.remove(server, gone)
    for new in (came_before, comes_after):
        kind.make(server, new)

    second = listing(**kind.filters, nextToken=first["nextToken"])
    assert second[kind.member][: len(rest) - 1] == sorted([*rest[1:-1], comes_after])
    assert not set(second[kind.member]) & {*shown, came_before}
    assert "nextToken" not in second
    # The same token again is the same page again: a client that lost the answer may ask for it.
    assert listing(**kind.filters, nextToken=first["nextToken"])[kind.member] == second[kind.member]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("everything")) as made:
        client = made.rig.client()
        for number in range(101):
            client.create_application(applicationName=f"a{number:03}")
            name = f"i{number:03}"
            client.register_on_premises_instance(instanceName=name, iamUserArn=f"{USER}{name}")
        yield made


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_token_of_another_listing_is_refused(everything: Served, listing: str) -> None:
    client = everything.rig.client()
    deployment = everything.world.store.deployments()[-1].id  # the oldest has ended
    asked = {name: deployment if value == "DEPLOYMENT" else value for name, value in LISTINGS[listing].items()}
    list_ = getattr(client, listing)
    list_(**asked)  # it is answered without a token

    others = "list_on_premises_instances" if listing == "list_applications" else "list_applications"
    token = "NextToken" if listing == "list_tags_for_resource" else "nextToken"
    refused("InvalidNextToken", list_, **asked, **{token: getattr(client, others)()["nextToken"]})
    refused("InvalidNextToken", list_, **asked, **{token: "bm9uc2Vuc2U"})


def test_a_token_of_the_same_listing_with_other_filters_is_refused(everything: Served) -> None:
    client = everything.rig.client()
    token = client.list_on_premises_instances(registrationStatus="Registered")["nextToken"]
    refused("InvalidNextToken", client.list_on_premises_instances, nextToken=token)
    assert client.list_on_premises_instances(registrationStatus="Registered", nextToken=token)["instanceNames"]
