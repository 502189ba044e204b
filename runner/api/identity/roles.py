"""What a role may do, by the name of the operation."""

from runner.errors import Refused
from runner.model.identity import Principal, Role

HOST_OPERATIONS = frozenset(
    {
        "PollHostCommand",
        "GetDeploymentSpecification",
        "PutHostCommandAcknowledgement",
        "PutHostCommandComplete",
        "PostHostCommandUpdate",
        "GetObject",
    }
)
"""The command API, and taking bundles: for the agent of a host, and nobody else."""

_READING = ("Get", "List", "BatchGet")
_DEPLOYING = frozenset(
    {
        "CreateDeployment",
        "StopDeployment",
        "ContinueDeployment",
        "SkipWaitTimeForInstanceTermination",
        "RegisterApplicationRevision",
        "PutLifecycleEventHookExecutionStatus",
    }
)


def may(role: Role, operation: str) -> bool:
    if operation in HOST_OPERATIONS or role == "host":
        return role == "host" and operation in HOST_OPERATIONS
    if operation.startswith(_READING):
        return True
    return role == "admin" or (role == "deployer" and operation in _DEPLOYING)


def allow(principal: Principal, operation: str) -> None:
    """Raises `Refused`, AccessDeniedException, which names the role and one that would do."""
    if may(principal.role, operation):
        return
    roles: tuple[Role, ...] = ("reader", "deployer", "admin", "host")
    wanted = next((role for role in roles if may(role, operation)), "admin")
    raise Refused(
        "AccessDeniedException",
        f"the access key {principal.access_key_id} has the role {principal.role}, which may not call {operation}; "
        f"that takes the role {wanted}",
    )
