"""The traffic events among a platform's: BlockTraffic and AllowTraffic run on the control side, all others on the host."""

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
        self._hosts = hosts
        self._events = {"BlockTraffic": traffic.block, "AllowTraffic": traffic.allow}

    async def run(self, command: Command, report: Report) -> Outcome:
        where = command.job.load_balancer
        move = self._events.get(command.lifecycle_event)
        if move is None or where is None:
            return await self._hosts.run(command, report)
        said: list[str] = []

        def tell(line: str) -> None:
            said.append(line)
            report(line)

        report(f"LifecycleEvent - {command.lifecycle_event}\n")
        try:
            await move(command.host, where, tell)
        except RunnerError as error:
            diagnostics = Diagnostics(error_code="UnknownError", message=error.message, log_tail="".join(said[-_KEPT:]))
            return Outcome(succeeded=False, diagnostics=diagnostics)
        return Outcome(succeeded=True)

    async def close(self) -> None:
        await self._hosts.close()
