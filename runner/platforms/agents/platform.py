"""The platform of hosts whose agent asks for its commands."""

from runner.model.command import Command, Outcome
from runner.platforms.agents.desk import Desk
from runner.ports import Report


class AgentPlatform:
    """Implements port `Platform`. All that there is to know is on the *desk*, which lives as long as the server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self, command: Command, report: Report) -> Outcome:
        return await self._desk.carry_out(command, report)

    async def close(self) -> None:
        """Agents keep what they have; the next server hears of it."""
