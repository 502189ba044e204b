"""Operations by name: what IAM calls them, and which may be sent again when it is unknown whether they were carried out."""

from collections.abc import Mapping
from typing import Any

_IAM_PREFIXES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}
_IAM_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}

_READS = ("describe_", "get_", "list_", "batch_get_", "simulate_")
_SETTINGS = (  # the second time, they find things as they want them
    "add_tags",
    "attach_",
    "configure_",
    "delete_",
    "deregister_",
    "detach_",
    "enable_",
    "modify_",
    "publish_version",  # the same code is the same version
    "put_",
    "register_instances",
    "register_targets",
    "resume_",
    "set_",
    "suspend_",
    "tag_",
    "terminate_",
    "update_",
)
_TOKENS = frozenset({"clientToken", "ClientToken", "clientRequestToken", "ClientRequestToken"})


def api_name(service: str, operation: str) -> str:
    """`lambda`, `update_alias` as `lambda:UpdateAlias`."""
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


def iam_action(service: str, operation: str) -> str:
    """The permission that an operation needs: `elasticloadbalancing:ModifyListener`."""
    name = api_name(service, operation)
    return _IAM_ACTIONS.get(name, f"{_IAM_PREFIXES.get(service, service)}:{name.partition(':')[2]}")


def is_repeatable(operation: str, params: Mapping[str, Any]) -> bool:
    """Whether sending it twice is as good as once. Not with a RevisionId: the first may have changed it."""
    if operation.startswith(_READS) or _TOKENS & params.keys():
        return True
    return operation.startswith(_SETTINGS) and "RevisionId" not in params
