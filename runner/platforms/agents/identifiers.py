"""Names on the wire that are opaque to agents, of a handing-out and of a deployment; and how agents call their host."""

import base64
import json
from collections.abc import Callable, Collection
from typing import NamedTuple

from runner.errors import Refused
from runner.model.host_command import CommandKey
from runner.ports.agents import Caller

REFUSED = "ClientException"


class Place(NamedTuple):
    """Where this server is, as its ARNs tell."""

    region: str = "us-east-1"
    account: str = "000000000000"


def execution(deployment_id: str, place: Place) -> str:
    """The `DeploymentExecutionId`, in the form that CodeDeploy's has."""
    return (
        f"CodeDeploy/{place.region}/Prod/arn:aws:codedeploy:{place.region}:{place.account}:deployment/{deployment_id}"
    )


def deployment_of(execution_id: str) -> str:
    """The deployment's ID, from a `DeploymentExecutionId`."""
    return execution_id.rpartition("/")[2]


def identifier(key: CommandKey, handing_out: int) -> str:
    """The `HostCommandIdentifier` of handing-out number *handing_out* of a command."""
    deployment, host, event, attempt = key
    return base64.b64encode(json.dumps([deployment, host, event, attempt, handing_out]).encode()).decode()


def read_identifier(text: str, caller: Caller) -> tuple[CommandKey, int]:
    """The command's key and the number of its handing-out. Raises `Refused` for nonsense and for other hosts' commands."""
    try:
        deployment, host, event, attempt, number = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, TypeError, RecursionError):
        raise Refused(REFUSED, "HostCommandIdentifier is none that was handed out here") from None
    texts = all(isinstance(each, str) for each in (deployment, host, event))
    if not texts or not all(type(each) is int and 0 < each < 2**31 for each in (attempt, number)):
        raise Refused(REFUSED, "HostCommandIdentifier is none that was handed out here")
    if host != caller.host:
        raise Refused(REFUSED, f"the access key is of host {caller.host}; this command is not for that host")
    return (deployment, host, event, attempt), number


def check_host(caller: Caller, registered: Callable[[str], Collection[str]]) -> None:
    """Raises `Refused` unless the caller calls its host by a name of it, or an ARN with that name at its end.

    *registered*: host to its ARNs, and to the ID of the EC2 instance that it is.
    """
    said = caller.identifier
    if said == caller.host or (said.startswith("arn:") and said.endswith((f"/{caller.host}", f":{caller.host}"))):
        return
    names = registered(caller.host)
    if said in names or (said.startswith("arn:") and said.rpartition("/")[2] in names):
        return
    raise Refused(REFUSED, f"the access key is of host {caller.host}, and may not act for {said[:200]!r}")
