"""The five operations of the command API, in front of the desk."""

from functools import partial

from runner.api.call import AsyncHandler, AsyncOperation, Call, Result
from runner.errors import Refused
from runner.ports.agents import Caller, CommandDesk

_SYSTEM = "CodeDeploy"


def operations(desk: CommandDesk) -> dict[str, AsyncOperation]:
    """By name. Only keys of role `host` get here: their host is whom an agent speaks for."""
    answers = {
        "PollHostCommand": _poll,
        "GetDeploymentSpecification": _specification,
        "PutHostCommandAcknowledgement": _acknowledge,
        "PutHostCommandComplete": _complete,
        "PostHostCommandUpdate": _update,
    }
    made: dict[str, AsyncHandler] = {name: partial(answer, desk) for name, answer in answers.items()}
    return {name: AsyncOperation(handler) for name, handler in made.items()}


async def _poll(desk: CommandDesk, call: Call) -> Result:
    caller = _caller(call)
    handed = await desk.poll(caller)
    if handed is None:
        return {}
    return {
        "HostCommand": {
            "HostCommandIdentifier": handed.identifier,
            "HostIdentifier": caller.identifier,  # as it came: an agent wants to find it in its own
            "DeploymentExecutionId": handed.execution,
            "CommandName": handed.event,
            "Nonce": str(handed.attempt),
        }
    }


async def _specification(desk: CommandDesk, call: Call) -> Result:
    found = await desk.specification(_caller(call), call.params["DeploymentExecutionId"])
    return {"DeploymentSystem": _SYSTEM, "DeploymentSpecification": found}


async def _acknowledge(desk: CommandDesk, call: Call) -> Result:
    return {"CommandStatus": await desk.acknowledge(_caller(call), call.params["HostCommandIdentifier"])}


async def _complete(desk: CommandDesk, call: Call) -> Result:
    await desk.complete(
        _caller(call), call.params["HostCommandIdentifier"], call.params["CommandStatus"], _payload(call)
    )
    return {}


async def _update(desk: CommandDesk, call: Call) -> Result:
    received = await desk.update(_caller(call), call.params["HostCommandIdentifier"], _payload(call))
    return {"CommandStatus": received.status, "Offset": received.offset}


def _caller(call: Call) -> Caller:
    host = call.principal.host
    if host is None:
        raise Refused("AccessDeniedException", "only the access key of a host may call this")
    version = call.headers.get("x-amz-codedeploy-agent-version", "")
    return Caller(host, call.params.get("HostIdentifier", ""), version[:100])


def _payload(call: Call) -> str:
    diagnostics = call.params.get("Diagnostics") or {}
    payload: str = diagnostics.get("Payload") or ""
    return payload
