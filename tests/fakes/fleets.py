"""Whole fleets in memory. Implements port `Fleets`."""

import asyncio

from runner.model.command import FleetTask, Outcome
from runner.model.target import Diagnostics, Host
from runner.ports import Report


class FakeFleets:
    """*done*: every act as it was carried out. *begun*: every one that was asked for. One in *held* waits until `let_go`;
    one in *failing* fails with that CodeDeploy error code. *made*: the hosts that Provision finds.
    """

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.tasks: list[FleetTask] = []
        self.held: set[str] = set()
        self.failing: dict[str, str] = {}
        self.made: tuple[Host, ...] = ()
        self._gates: dict[str, asyncio.Event] = {}

    async def act(self, task: FleetTask, report: Report) -> Outcome:
        self.begun.append(task.event)
        if task.event in self.held:
            await self._gates.setdefault(task.event, asyncio.Event()).wait()
        if task.event in self.failing:
            diagnostics = Diagnostics(error_code="UnknownError", message=f"{task.event} does not work")
            return Outcome(succeeded=False, diagnostics=diagnostics, code=self.failing[task.event])
        self.done.append(task.event)
        self.tasks.append(task)
        report(f"{task.event} done\n")
        return Outcome(succeeded=True, hosts=self.made if task.event == "Provision" else ())

    def let_go(self, event: str) -> None:
        self.held.discard(event)
        self._gates.setdefault(event, asyncio.Event()).set()
