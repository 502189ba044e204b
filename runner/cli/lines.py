"""Progress as plain lines, one fact each: for logs, pipes and dumb terminals."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TextIO

from runner.cli.board import WAITS, Board, Rollout, until_of, why
from runner.cli.words import between, clock, count, listed, one_line
from runner.model.duration import format_duration
from runner.model.journal import Entry

_QUIET = {
    "deployment queued",
    "preparation started",
    "target started",
    "lifecycle event started",
    "lifecycle event succeeded",
}
"""Kinds that are shown only to those who want to know everything."""

_ENDED = {"hold": "hold ended", "ready": "continues", "termination": "the original's time is over"}


class Lines:
    """Writes a line for every entry that tells something new; *verbose*: for every entry."""

    def __init__(self, board: Board, out: TextIO, *, verbose: bool = False) -> None:
        self._board, self._out, self._verbose = board, out, verbose

    def show(self, entries: Sequence[Entry]) -> None:
        for line in self.lines(entries):
            print(line, file=self._out, flush=True)

    def tick(self) -> None:
        """Lines stand still."""

    def close(self) -> None:
        """Nothing to clean up."""

    def lines(self, entries: Sequence[Entry]) -> Iterator[str]:
        """The lines for entries that the board has taken into account already."""
        for (deployment_id, skipped), some in groupby(entries, lambda e: (e.deployment_id, e.kind == "target skipped")):
            rollout = self._board.rollouts[deployment_id]
            if skipped:
                yield _skipped(rollout, list(some))
                continue
            for entry in some:
                if self._verbose or entry.kind not in _QUIET:
                    yield _line(rollout, entry)


def _line(rollout: Rollout, entry: Entry) -> str:
    words = [clock(entry.at), rollout.id, rollout.place, entry.target, entry.lifecycle_event]
    return " ".join([*(word for word in words if word), one_line(_said(rollout, entry))])


def _skipped(rollout: Rollout, entries: list[Entry]) -> str:
    names = [entry.target or "" for entry in entries]
    who = count(len(names), rollout.noun)
    return f"{clock(entries[0].at)} {rollout.id} {rollout.place} {who} skipped: {listed(names, 8)}"


def _said(rollout: Rollout, entry: Entry) -> str:
    details = entry.details
    match entry.kind:
        case "deployment created":
            return _created(rollout)
        case "deployment waiting":
            return str(details.get("reason", "waits")) + _until(entry)
        case "deployment started":
            return f"started: {count(rollout.total, rollout.noun)}, {rollout.configuration}"
        case "deployment succeeded":
            return f"succeeded in {between(rollout.started_at, entry.at)}"
        case "deployment failed" | "deployment stopped":
            return _ended(entry)
        case "target succeeded":
            return f"succeeded in {between(rollout.host(entry.target or '').started_at, entry.at)}"
        case "lifecycle event failed" | "lifecycle event skipped":
            return f"failed: {why(entry)}"
        case "hold started" | "ready started" | "termination started":
            return _waits(entry)
        case "hold ended" | "ready ended" | "termination ended":
            wait = entry.kind.partition(" ")[0]
            return _ENDED[wait] + (" on request" if details.get("continued_on_request") else "")
        case "traffic shifted":
            return _shifted(rollout, details.get("weight"))
        case "stop requested":
            wishes: dict[bool | None, str] = {True: ", with rollback", False: ", without rollback"}
            return "stop requested" + wishes.get(details.get("rollback"), "")
        case "alarm raised":  # or it could not be read; the message says which
            return str(details.get("message", ""))
        case "rollback triggered" | "rollback impossible" | "check failed":
            return f"{entry.kind}: {details.get('message', '')}"
    if entry.target is not None:
        return entry.kind.rpartition(" ")[2]
    return entry.kind.removeprefix("deployment ")


def _created(rollout: Rollout) -> str:
    if rollout.rolls_back:
        return f"created: rolls back {rollout.rolls_back} to {rollout.revision}"
    who = {"CodeDeploy": ", seen by the watcher"}.get(rollout.creator, "")
    return f"created: deploys {rollout.revision}{who}"


def _ended(entry: Entry) -> str:
    message, code = entry.details.get("message"), entry.details.get("code")
    ended = entry.kind.removeprefix("deployment ")
    return f"{ended}: {message} ({code})" if message else ended


def _shifted(rollout: Rollout, weight: int | None) -> str:
    if rollout.rolls_back:
        return "has given all of the traffic back"
    return f"has {weight} % of the traffic on the new version"


def _until(entry: Entry) -> str:
    until = until_of(entry)
    return f", until {clock(until)}" if until else ""


def _waits(entry: Entry) -> str:
    until, words = until_of(entry), WAITS[entry.kind.partition(" ")[0]]
    return f"{words} for {format_duration(until - entry.at)}{_until(entry)}" if until else words
