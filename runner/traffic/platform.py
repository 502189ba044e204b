"""The traffic events among a platform's: BlockTraffic and AllowTraffic run on the control side, all others on the host."""

from collections.abc import Awaitable

from runner.errors import RunnerError
from runner.model.command import Command, Outcome
from runner.model.target import Diagnostics
from runner.ports import Platform, Report, Traffic

_KEPT = 20  # lines of output in the diagnostics of a failure


class WithTraffic:
    """Implements port `Platform` over *hosts*, another platform, which runs what stands in the AppSpec.

    A traffic event that was cut off is done again from the start, which changes nothing that it had done.
    """

    def __init__(self, hosts: Platform, traffic: Traffic) -> None:
        self._hosts, self._traffic = hosts, traffic
        self._events = {"BlockTraffic": traffic.block, "AllowTraffic": traffic.allow}

    async def run(self, command: Command, report: Report) -> Outcome:
        where = command.job.load_balancer
        if where is None:
            return await self._hosts.run(command, report)
        if move := self._events.get(command.lifecycle_event):
            report(f"LifecycleEvent - {command.lifecycle_event}\n")
            return await _moved(move(command.host, where, tell := Told(report)), tell)
        if _begins_a_replacement(command):
            kept_out = await _moved(self._traffic.block(command.host, where, tell := Told(report)), tell)
            if not kept_out.succeeded:
                return kept_out
        return await self._hosts.run(command, report)

    async def close(self) -> None:
        await self._hosts.close()


class Told:
    """A report that remembers what was told."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.said: list[str] = []

    def __call__(self, line: str) -> None:
        self.said.append(line)
        self._report(line)


async def _moved(moving: Awaitable[None], tell: Told) -> Outcome:
    try:
        await moving
    except RunnerError as error:
        log_tail = "".join(tell.said[-_KEPT:])
        diagnostics = Diagnostics(error_code="UnknownError", message=error.message, log_tail=log_tail)
        return Outcome(succeeded=False, diagnostics=diagnostics)
    return Outcome(succeeded=True)


def _begins_a_replacement(command: Command) -> bool:
    """A green host has no traffic until the deployment says so, also where its load balancer found it by itself."""
    return command.job.deployment_type == "BLUE_GREEN" and command.lifecycle_event == "ApplicationStop"
