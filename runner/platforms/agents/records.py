"""Makes what happens to commands durable: what comes together is written, and looked up, in one transaction."""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from runner.errors import WorldError
from runner.log import get_logger
from runner.model.host_command import AgentContact, CommandKey, HostCommand
from runner.ports.agents import HostCommandStore

T = TypeVar("T")

_RETRY = 1.0  # seconds
_LAST_WORDS = 5.0
_CONTACTS_AT_ONCE = 128  # a millisecond or two

_Rows = dict[CommandKey, tuple[HostCommand, asyncio.Future[None]]]


class Records:
    """Writes to *store* in one thread, one batch after the other. For one loop."""

    def __init__(self, store: HostCommandStore) -> None:
        self._store = store
        self._waiting: _Rows = {}
        self._under_way: _Rows = {}
        self._asked: dict[CommandKey, asyncio.Future[HostCommand | None]] = {}
        self._contacts: dict[str, AgentContact] = {}
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="agents")

    async def unfinished(self) -> list[HostCommand]:
        return await self._blocking(self._store.unfinished)

    async def contacts(self) -> list[AgentContact]:
        return await self._blocking(self._store.contacts)

    async def stopping(self, deployment_ids: Collection[str]) -> set[str]:
        """Those that are to stop."""
        if not deployment_ids:
            return set()
        return await self._blocking(lambda: self._store.stopping(deployment_ids))

    async def find(self, key: CommandKey) -> HostCommand | None:
        """What is recorded under *key*; those who ask meanwhile are answered together."""
        if not self._store.knows(key):
            return None  # most commands are new, and need not wait for a thread to say so
        if key not in self._asked:
            self._asked[key] = asyncio.get_running_loop().create_future()
            self._asked[key].add_done_callback(_looked_at)
            self._begin()
        return await asyncio.shield(self._asked[key])

    def save(self, command: HostCommand) -> asyncio.Future[None]:
        """Write *command*, in place of what waits to be written of it. The future is done when it is durable.

        The future raises `WorldError` when the store cannot be written as things stand.
        """
        _, durable = self._waiting.get(command.key, (None, None))
        if durable is None:
            durable = asyncio.get_running_loop().create_future()
            durable.add_done_callback(_looked_at)
        self._waiting[command.key] = (command, durable)
        self._begin()
        return durable

    async def settled(self, key: CommandKey) -> None:
        """Wait until what was saved under *key* is durable."""
        for rows in (self._waiting, self._under_way):
            if key in rows:
                await asyncio.shield(rows[key][1])
                return

    def note(self, contacts: dict[str, AgentContact]) -> None:
        """Write *contacts*, by host, soon."""
        self._contacts |= contacts
        if self._contacts:
            self._begin()

    async def close(self) -> None:
        """Wait until all is written, but not for long: a disk may be full."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_LAST_WORDS)
        if self._writing is not None:
            self._writing.cancel()
        self._thread.shutdown(wait=False)

    def _begin(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting or self._contacts or self._asked:
                await self._find_all()
                self._under_way, self._waiting = self._waiting, {}
                contacts = {} if self._under_way else self._some_contacts()
                if self._under_way or contacts:
                    await self._write_batch(self._under_way, contacts)
                self._under_way = {}
        finally:
            self._writing = None

    def _some_contacts(self) -> dict[str, AgentContact]:
        """A few that are not written yet, so that no command waits for thousands of them."""
        return dict(self._contacts.popitem() for _ in range(min(_CONTACTS_AT_ONCE, len(self._contacts))))

    async def _find_all(self) -> None:
        asked, self._asked = self._asked, {}
        if not asked:
            return
        try:
            found = await self._blocking(lambda: self._store.find(list(asked)))
        except Exception as error:  # noqa: BLE001 - whoever asked learns it
            for answer in asked.values():
                answer.set_exception(error)
        else:
            for key, answer in asked.items():
                answer.set_result(found.get(key))

    async def _write_batch(self, rows: _Rows, contacts: dict[str, AgentContact]) -> None:
        while True:
            try:
                await self._save([command for command, _ in rows.values()], list(contacts.values()))
                return _settle(rows)
            except WorldError as error:
                get_logger().error("commands of agents not recorded", error=error.message)
                if not error.retryable:
                    return _settle(rows, error)
                await asyncio.sleep(_RETRY)
            except Exception as bug:  # noqa: BLE001 - one bad row must not cost the others
                return await self._write_singly(rows, bug)

    async def _write_singly(self, rows: _Rows, bug: Exception) -> None:
        get_logger().error("a batch of commands could not be recorded", exc_info=bug)
        for key, (command, durable) in rows.items():
            try:
                await self._save([command], [])
                _settle({key: (command, durable)})
            except Exception as error:  # noqa: BLE001 - whoever waits for it learns it
                _settle({key: (command, durable)}, error)

    async def _save(self, commands: list[HostCommand], contacts: list[AgentContact]) -> None:
        await self._blocking(lambda: self._store.save(commands, contacts))

    async def _blocking(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _settle(rows: _Rows, error: Exception | None = None) -> None:
    for _, durable in rows.values():
        if durable.done():
            continue
        if error is None:
            durable.set_result(None)
        else:
            durable.set_exception(error)


def _looked_at(durable: asyncio.Future[Any]) -> None:
    """An error that nobody waits for is no news: it was logged."""
    if not durable.cancelled():
        durable.exception()
