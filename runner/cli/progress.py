"""Live progress: reads what the store's journal says anew, and hands it to a view, in the loop that drives.

On a terminal the view is a table that is redrawn in place, otherwise plain lines, with `--output json` on `serve` one
journal entry a line. Whoever stops reading our output does not stop a rollout.
"""

import argparse
import asyncio
import datetime as dt
import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TextIO

from runner.cli.board import Board
from runner.errors import WorldError
from runner.model.journal import Entry

if TYPE_CHECKING:
    from runner.store.store import Store

GLANCE = 0.1  # seconds between two looks at the journal
AT_ONCE = 1000  # entries


class View(Protocol):
    """Shows entries that the board has already taken into account."""

    def show(self, entries: Sequence[Entry]) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One journal entry a line, as JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, entries: Sequence[Entry]) -> None:
        from runner.model.value import to_json

        for entry in entries:
            print(to_json(entry), file=self._out, flush=True)

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Nowhere:
    """For when nobody reads any more."""

    def show(self, entries: Sequence[Entry]) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Progress:
    """Follows the journal from the entry *since* on. *only*: deployments to show; None shows all."""

    def __init__(
        self,
        store: "Store",
        view: Callable[[Board], View],
        since: int,
        *,
        only: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self._store, self._last, self._only = store, since, only
        self._seen = -1  # the store's version at the last look
        self._rollbacks: set[str] = set()
        self._board = Board()
        self._view = view(self._board)

    def begin_with(self, deployment_ids: Iterable[str]) -> None:
        """Take in the past of deployments that are under way already, without telling it."""
        for deployment_id in deployment_ids:
            self._catch_up(deployment_id)

    async def run(self) -> None:
        """Show what happens until cancelled."""
        while True:
            with suppress(WorldError):  # the driver says what is wrong with the store; looking can wait
                await self.look()
            await asyncio.sleep(GLANCE)

    async def look(self) -> None:
        """Show what has happened since the last look; all that was read is shown, also when this is cancelled."""
        version = self._store.version()
        if version == self._seen:  # nobody has written anything: most looks, and no work for a thread
            self._show(())
            return
        reading = asyncio.ensure_future(asyncio.to_thread(self._news, version))
        try:
            shown = await asyncio.shield(reading)
        except asyncio.CancelledError:
            with suppress(WorldError):  # it would be caught in place of the cancellation
                self._show(await reading)
            raise
        self._show(shown)

    def _show(self, shown: Sequence[Entry]) -> None:
        self._quietly(lambda: self._view.show(shown) if shown else None)
        self._quietly(self._view.tick)
        for over in [rollout.id for rollout in self._board.rollouts.values() if rollout.is_over]:
            del self._board.rollouts[over]

    async def finish(self) -> None:
        """Show what is left, and give the terminal back."""
        try:
            with suppress(WorldError):
                await self.look()
        finally:
            self._quietly(self._view.close)

    def _news(self, version: int) -> list[Entry]:
        """What was written since the last look and concerns us, taken into the board. *version*: the store's, before."""
        entries = self._store.journal_after(self._last, AT_ONCE)
        if len(entries) < AT_ONCE:
            self._seen = version
        shown = []
        for entry in entries:
            self._last = entry.id
            if self._concerns_us(entry):
                self._take(entry)
                shown.append(entry)
        return shown

    def _concerns_us(self, entry: Entry) -> bool:
        if self._only is None:
            return True
        known = {*self._only(), *self._rollbacks}
        if entry.details.get("rolls_back") in known:  # whoever names *only* learns of it a moment later
            self._rollbacks.add(entry.deployment_id)
            return True
        return entry.deployment_id in known

    def _take(self, entry: Entry) -> None:
        if entry.deployment_id not in self._board.rollouts:
            self._catch_up(entry.deployment_id, before=entry.id)
        rollout = self._board.apply(entry)
        if entry.kind == "deployment started":
            rollout.expect(target.id for target in self._store.targets(entry.deployment_id))

    def _catch_up(self, deployment_id: str, before: int | None = None) -> None:
        for entry in self._store.journal(deployment_id):
            if entry.id < (before or self._last + 1):
                self._board.apply(entry)
        if deployment_id in self._board.rollouts and (targets := self._store.targets(deployment_id)):
            self._board.rollouts[deployment_id].expect(target.id for target in targets)

    def _quietly(self, show: Callable[[], None]) -> None:
        try:
            show()
        except BrokenPipeError:
            self._view = Nowhere()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


Events = Callable[[str], Sequence[str]]
"""A deployment's ID to the names of its lifecycle events, in order."""


def view_for(arguments: argparse.Namespace, events: Events, *, as_json: bool = False) -> Callable[[Board], View]:
    """The view that suits the output: *as_json* for JSON lines, else the terminal's, else plain lines.

    Standard output is left to the result when that is JSON.
    """
    if as_json:
        return lambda board: JsonLines(sys.stdout)
    out = sys.stderr if arguments.output == "json" else sys.stdout
    if out.isatty() and os.environ.get("TERM", "dumb").lower() not in ("dumb", "unknown"):
        return lambda board: _live(board, out, events)
    return lambda board: _lines(board, out, verbose=arguments.verbose)


def _live(board: Board, out: TextIO, events: Events) -> View:
    from rich.console import Console

    from runner.cli.live import LiveView

    return LiveView(board, Console(file=out, highlight=False, markup=False, emoji=False), events, _now)


def _lines(board: Board, out: TextIO, *, verbose: bool) -> View:
    from runner.cli.lines import Lines

    return Lines(board, out, verbose=verbose)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
