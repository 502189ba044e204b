"""One platform over others: each host by its transport."""

from collections.abc import Sequence

from runner.errors import AgentsNotServed
from runner.model.command import Command, Outcome
from runner.model.target import Diagnostics, Host
from runner.ports import Platform, Report

_NOBODY_LISTENS = (
    "The agent of {host} asks `penstock serve` for its commands, and this process does not listen. Start `penstock serve` "
    "with an address to listen on, and redeploy."
)


def check_reach(hosts: Sequence[Host], *, serves_agents: bool) -> None:
    """Raises `AgentsNotServed` when one of *hosts* has an agent and nobody listens for agents."""
    with_agent = [host.name for host in hosts if host.transport == "agent"]
    if with_agent and not serves_agents:
        more = f" and {len(with_agent) - 3} more" if len(with_agent) > 3 else ""
        raise AgentsNotServed(
            f"{', '.join(with_agent[:3])}{more}: an agent there asks `penstock serve` for commands, and this process does "
            "not listen; start `penstock serve`, and deploy while it runs"
        )


class ByTransport:
    """Implements port `Platform`. *agents*: for hosts whose agent asks; None where nobody listens for agents."""

    def __init__(self, server: Platform, agents: Platform | None) -> None:
        self._server, self._agents = server, agents

    async def run(self, command: Command, report: Report) -> Outcome:
        if command.host.transport != "agent":
            return await self._server.run(command, report)
        if self._agents is None:
            message = _NOBODY_LISTENS.format(host=command.host.name)
            diagnostics = Diagnostics(error_code="UnknownError", message=message)
            return Outcome(succeeded=False, diagnostics=diagnostics, began=False)
        return await self._agents.run(command, report)

    async def close(self) -> None:
        await self._server.close()
        if self._agents is not None:
            await self._agents.close()
