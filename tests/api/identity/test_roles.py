"""Which role may call what: all operations of the two services, by their service models."""

from functools import cache

import botocore.loaders
import pytest

from runner.api.identity.roles import HOST_OPERATIONS, allow, may
from runner.errors import Refused
from runner.model.identity import Principal, Role


@cache
def operations() -> frozenset[str]:
    return frozenset(botocore.loaders.Loader().load_service_model("codedeploy", "service-2")["operations"])


def allowed(role: Role) -> frozenset[str]:
    return frozenset(each for each in operations() | HOST_OPERATIONS if may(role, each))


DEPLOYING = {
    "CreateDeployment",
    "StopDeployment",
    "ContinueDeployment",
    "SkipWaitTimeForInstanceTermination",
    "RegisterApplicationRevision",
    "PutLifecycleEventHookExecutionStatus",
}


def test_an_admin_may_call_all_47_operations_and_not_the_command_api() -> None:
    assert len(operations()) == 47
    assert allowed("admin") == operations()


def test_a_reader_only_reads() -> None:
    assert allowed("reader") == {each for each in operations() if each.startswith(("Get", "List", "BatchGet"))}


def test_a_deployer_reads_and_deploys_and_sets_nothing_up() -> None:
    assert allowed("deployer") == allowed("reader") | DEPLOYING


def test_a_host_has_the_command_api_and_bundles_and_nothing_else() -> None:
    assert allowed("host") == HOST_OPERATIONS
    assert "GetDeploymentSpecification" in HOST_OPERATIONS and not HOST_OPERATIONS & operations()


@pytest.mark.parametrize(
    ("role", "operation", "wanted"),
    [
        ("reader", "CreateDeployment", "deployer"),
        ("deployer", "CreateApplication", "admin"),
        ("admin", "PollHostCommand", "host"),
        ("host", "GetDeployment", "reader"),
    ],
)
def test_the_refusal_names_the_role_and_what_it_takes(role: Role, operation: str, wanted: str) -> None:
    principal = Principal(access_key_id="PKADA", role=role, host="web-1" if role == "host" else None)
    with pytest.raises(Refused) as refused:
        allow(principal, operation)
    assert refused.value.code == "AccessDeniedException"
    assert refused.value.message == (
        f"the access key PKADA has the role {role}, which may not call {operation}; that takes the role {wanted}"
    )


def test_what_a_role_may_do_passes() -> None:
    allow(Principal(access_key_id="PKADA", role="deployer"), "CreateDeployment")
