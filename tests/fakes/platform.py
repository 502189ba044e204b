"""A `Platform` without hosts: what an event prints and how it ends is up to the test; nothing runs anywhere."""

import asyncio
from collections.abc import Awaitable, Callable

from runner.model.command import Command, Outcome
from runner.ports import Report

Script = Callable[[Command, Report], Awaitable[Outcome]]
Key = tuple[str, str, str, int]


async def succeed(command: Command, report: Report) -> Outcome:
    """What every event does unless a test says otherwise: print its name and succeed."""
    report(f"LifecycleEvent - {command.lifecycle_event}\n")
    return Outcome(succeeded=True)


class FakePlatform:
    """Runs *script* once for each idempotency key, as a task of its own that no caller's end can stop.

    *ran* has the keys in the order in which they began. An instance stands for all hosts: give it to a second runner
    and that one finds everything that the first has done.
    """

    def __init__(self, script: Script = succeed) -> None:
        self.script = script
        self.ran: list[Key] = []
        self.closed = False
        self._running: dict[Key, asyncio.Task[Outcome]] = {}
        self._output: dict[Key, list[str]] = {}
        self._listeners: dict[Key, list[Report]] = {}

    async def run(self, command: Command, report: Report) -> Outcome:
        for text in self._output.setdefault(command.key, []):
            report(text)
        listeners = self._listeners.setdefault(command.key, [])
        listeners.append(report)
        if command.key not in self._running:
            self.ran.append(command.key)
            self._running[command.key] = asyncio.create_task(self._run(command))
        try:
            return await asyncio.shield(self._running[command.key])
        finally:
            listeners.remove(report)

    async def close(self) -> None:
        self.closed = True

    async def _run(self, command: Command) -> Outcome:
        def spread(text: str) -> None:
            self._output[command.key].append(text)
            for listener in list(self._listeners[command.key]):
                listener(text)

        return await self.script(command, spread)
