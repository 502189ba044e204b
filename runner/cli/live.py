"""Progress on a terminal: a table of hosts and lifecycle events for every deployment under way, redrawn in place.

A deployment that has ended becomes one line above the table, and stays on the screen.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runner.cli.board import Board, HostRow, Rollout, why
from runner.cli.screen import STYLES
from runner.cli.words import between, clock, count, one_line, span
from runner.model.journal import Entry
from runner.ports import Clock

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

MARKS = {"Succeeded": "✓", "Failed": "✗", "InProgress": "●", "Ready": "●", "Skipped": "–", "Pending": "·"}
ASCII_MARKS = {"Succeeded": "+", "Failed": "x", "InProgress": "*", "Ready": "*", "Skipped": "-", "Pending": "."}
_URGENCY = ("Failed", "InProgress", "Ready", "Pending", "Succeeded", "Skipped")
LINES_AROUND = 4  # of the terminal, that the table leaves alone


class LiveView:
    """The live table. *events*: a deployment's ID to its lifecycle events, in order. Call it from one thread."""

    def __init__(self, board: Board, console: "Console", events: Callable[[str], Sequence[str]], clock: Clock) -> None:
        self._board, self._console, self._events, self._clock = board, console, events, clock
        self._marks = ASCII_MARKS if console.options.ascii_only else MARKS
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if line := self._line(self._board.rollouts[entry.deployment_id], entry):
                self._console.print(line)

    def _line(self, rollout: Rollout, entry: Entry) -> Text | None:
        """What stays on the screen of an entry, if anything."""
        match entry.kind:
            case "deployment succeeded" | "deployment failed" | "deployment stopped":
                return self._ended(rollout)
            case "lifecycle event failed" | "lifecycle event skipped":
                where = f"{clock(entry.at)} {rollout.place} {rollout.id} {entry.target} {entry.lifecycle_event}"
                return Text.assemble(
                    (f"{self._mark('Failed')} ", "bold red"), f"{where} failed: {one_line(why(entry))}"
                )
            case "stop requested" | "rollback triggered" | "rollback impossible":
                said = one_line(entry.details.get("message") or entry.kind)
                return Text(f"  {clock(entry.at)} {rollout.place} {rollout.id} {said}", style="yellow")
        return None

    def tick(self) -> None:
        """Draw again: time passes even where nothing happens."""
        self._live.update(self.picture(), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def picture(self) -> "RenderableType":
        """Everything that has not ended."""
        going = [rollout for rollout in self._board.rollouts.values() if not rollout.is_over]
        room = max(3, (self._console.height - LINES_AROUND) // max(1, len(going)) - 3)
        return Group(*(part for rollout in going for part in self._parts(rollout, room)))

    def _parts(self, rollout: Rollout, room: int) -> Iterable["RenderableType"]:
        yield self._header(rollout)
        if rollout.waiting:
            yield Text(f"  {rollout.waiting}{self._left(rollout.until)}", "magenta", no_wrap=True, overflow="ellipsis")
        if rollout.hosts:
            yield from self._hosts(rollout, room)

    def _header(self, rollout: Rollout) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{self._mark(rollout.status)} ", STYLES.get(rollout.status, ""))
        text.append(rollout.place, "bold")
        text.append(f"  {rollout.id}  {rollout.revision}  ")
        text.append(rollout.status, STYLES.get(rollout.status, ""))
        if rollout.started_at:
            text.append(f" {span(self._clock() - rollout.started_at)}  ")
            text.append(_counts(rollout))
        if rollout.rolls_back:
            text.append(f"  rolls back {rollout.rolls_back}", "yellow")
        return text

    def _left(self, until: dt.datetime | None) -> str:
        return f", {span(until - self._clock())} left" if until else ""

    def _hosts(self, rollout: Rollout, room: int) -> Iterable["RenderableType"]:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        names, events = _most_urgent(rollout, room), self._events(rollout.id)
        for name in names:
            table.add_row("", name, *self._cells(rollout.hosts[name], events))
        yield table
        if hidden := len(rollout.hosts) - len(names):
            yield Text(f"  … and {count(hidden, f'more {rollout.noun}')}", style="dim")

    def _cells(self, host: HostRow, events: Sequence[str]) -> tuple[Text, Text, Text]:
        marks = Text()
        for event in events:
            status = host.events.get(event, "Skipped" if host.status in ("Failed", "Skipped") else "Pending")
            marks.append(f"{self._marks[status]} ", STYLES[status])
        took = span((host.ended_at or self._clock()) - host.started_at) if host.started_at else ""
        return marks, Text(took, style="dim"), Text(one_line(_now(host)), style=STYLES.get(host.status, ""))

    def _ended(self, rollout: Rollout) -> Text:
        at = rollout.ended_at or self._clock()
        text = Text(f"{self._mark(rollout.status)} ", style=STYLES.get(rollout.status, ""))
        text.append(f"{clock(at)} {rollout.place} {rollout.id} {rollout.revision} ", "default")
        text.append(rollout.status.lower())
        if rollout.started_at:
            text.append(f" in {between(rollout.started_at, at)} ({_counts(rollout)})", "default")
        if rollout.message:
            text.append(f": {one_line(rollout.message)}", "default")
        return text

    def _mark(self, status: str) -> str:
        return self._marks.get(status, self._marks["Pending"])


def _counts(rollout: Rollout) -> str:
    """`2 of 4 done, 1 failed, 1 in progress`."""
    text = f"{rollout.number('Succeeded')} of {rollout.total} done"
    for status, words in (("Failed", "failed"), ("InProgress", "in progress"), ("Skipped", "skipped")):
        if number := rollout.number(status):
            text += f", {number} {words}"
    return text


def _now(host: HostRow) -> str:
    """What a host is doing, or how it ended."""
    failed = next((event for event, status in host.events.items() if status in ("Failed", "Skipped")), None)
    if failed and host.status in ("Failed", "InProgress"):
        return f"{failed} failed: {host.message}"
    running = next((event for event, status in host.events.items() if status == "InProgress"), None)
    if running:
        return running if host.weight is None else f"{running} {host.weight} %"
    return "" if host.status == "Pending" else host.status.lower()


def _most_urgent(rollout: Rollout, room: int) -> list[str]:
    """The hosts that are shown when there is not room for all, in deployment order."""
    if len(rollout.hosts) <= room:
        return list(rollout.hosts)
    ranked = sorted(rollout.hosts, key=lambda name: _URGENCY.index(rollout.hosts[name].status))
    chosen = set(ranked[: max(1, room - 1)])
    return [name for name in rollout.hosts if name in chosen]
