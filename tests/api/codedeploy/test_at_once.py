"""Many clients that make the same thing at the same moment: one wins, and the others are told."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from catalog_rig import ROLE, USER, Catalog

CLIENTS = 6
MAKING: dict[str, Callable[[Any], object]] = {
    "ApplicationAlreadyExists": lambda client: client.create_application(applicationName="other"),
    "DeploymentGroupAlreadyExists": lambda client: client.create_deployment_group(
        applicationName="shop", deploymentGroupName="production", serviceRoleArn=ROLE
    ),
    "DeploymentConfigAlreadyExists": lambda client: client.create_deployment_config(
        deploymentConfigName="mine", minimumHealthyHosts={"type": "HOST_COUNT", "value": 1}
    ),
    "InstanceNameAlreadyRegistered": lambda client: client.register_on_premises_instance(
        instanceName="web-1", iamUserArn=f"{USER}web-1"
    ),
}


def all_at_once(server: Catalog, make: Callable[[Any], object]) -> list[str]:
    """What each of the clients was answered."""
    clients = [server.rig.client() for _ in range(CLIENTS)]
    together = threading.Barrier(CLIENTS)

    def run(client: Any) -> str:
        together.wait(30)
        try:
            make(client)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        finally:
            client.close()
        return "made"

    with ThreadPoolExecutor(CLIENTS) as threads:
        return sorted(threads.map(run, clients))


@pytest.mark.parametrize("code", MAKING)
def test_of_many_who_make_the_same_thing_at_once_one_wins(server: Catalog, code: str) -> None:
    server.application()
    assert all_at_once(server, MAKING[code]) == [f"{code}Exception"] * (CLIENTS - 1) + ["made"]


def test_many_who_register_one_revision_at_once_register_it_once(server: Catalog) -> None:
    server.application()
    revision = {"revisionType": "GitHub", "gitHubLocation": {"repository": "o/n", "commitId": "a" * 40}}
    outcomes = all_at_once(
        server, lambda client: client.register_application_revision(applicationName="shop", revision=revision)
    )
    assert outcomes == ["made"] * CLIENTS
    assert server.client.list_application_revisions(applicationName="shop")["revisions"] == [revision]
