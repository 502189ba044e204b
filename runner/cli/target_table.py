"""The targets of a deployment and their lifecycle events, as a table that fits the terminal."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from runner.cli.screen import line, status, table
from runner.cli.words import span
from runner.model.target import EventStatus, LifecycleEvent, Target

if TYPE_CHECKING:
    from rich.console import Console

_SIGNS = {
    EventStatus.SUCCEEDED: "ok",
    EventStatus.FAILED: "FAILED",
    EventStatus.IN_PROGRESS: "running",
    EventStatus.SKIPPED: "-",
    EventStatus.PENDING: ".",
}
_MOVING = "AllowTraffic"  # each of its moves is an attempt; other events have begun again
_GAP = 2  # columns, between those of a table


_FLEETS = {"Green": "Hosts of the replacement (green):", "Blue": "Hosts of the original (blue):"}


def show_targets(out: "Console", targets: tuple[Target, ...], now: dt.datetime) -> None:
    """One table; where hosts replace others, one for each fleet, as each has events of its own."""
    labels = list(dict.fromkeys(target.label for target in targets))
    for number, label in enumerate(labels):
        if label is not None:
            if number:
                out.print()
            line(out, _FLEETS[label])
        _show_alike(out, tuple(target for target in targets if target.label == label), now)


def _show_alike(out: "Console", targets: tuple[Target, ...], now: dt.datetime) -> None:
    """A line for each target. Too wide for the terminal, as with the nine events of a service: a line for each event
    where there is one target, and else the last event of each."""
    head: tuple[str, ...] = ("TARGET", "STATUS", *(event.name for event in targets[0].lifecycle_events))
    rows: list[tuple[str | Text, ...]] = [
        (target.id, status(target.status), *(_cell(event, now, target) for event in target.lifecycle_events))
        for target in targets
    ]
    if _width([head, *rows]) <= out.width:
        table(out, head, rows)
    elif len(targets) == 1:
        line(out, f"{targets[0].id}  ", status(targets[0].status))
        table(out, ("", ""), [(e.name, _cell(e, now, targets[0])) for e in targets[0].lifecycle_events], indent=2)
    else:
        table(out, ("TARGET", "STATUS", "EVENTS", "LAST EVENT"), [_in_short(target, now) for target in targets])


def _width(rows: Sequence[Sequence[str | Text]]) -> int:
    return sum(max(map(len, column)) + _GAP for column in zip(*rows, strict=True))


def _in_short(target: Target, now: dt.datetime) -> tuple[str | Text, ...]:
    events = target.lifecycle_events
    begun = [event for event in events if event.started_at]
    last = Text.assemble(begun[-1].name, " ", _cell(begun[-1], now, target)) if begun else Text("-")
    done = sum(event.ended_at is not None for event in begun)
    return target.id, status(target.status), f"{done} of {len(events)}", last


def _cell(event: LifecycleEvent, now: dt.datetime, target: Target) -> Text:
    style = "bold red" if event.status is EventStatus.FAILED else ""
    took = f" {span((event.ended_at or now) - event.started_at)}" if event.started_at else ""
    again = f" ({event.attempt} moves)" if event.attempt > 1 and target.state and event.name == _MOVING else ""
    return Text(f"{_SIGNS[event.status]}{took}{again}", style=style)
