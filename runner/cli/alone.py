"""What a verb does when another process has the state folder already: join it, wait for it, or leave."""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from runner.wiring import Runner

WAIT = "5m"
_LOOK_EVERY = 0.2  # seconds


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--busy",
        choices=("join", "wait", "leave"),
        default="join",
        help="when another process drives the state folder: look all the same and follow what it carries out (join, "
        "the default; state in S3 or PostgreSQL is for one at a time: there, wait as long as it takes); wait until it has "
        "ended; leave at once, with status 75",
    )
    parser.add_argument(
        "--wait",
        metavar="DURATION",
        help=f"how long --busy wait waits, as in 90s or 1h; then it leaves, too (default: {WAIT})",
    )


@contextmanager
def alone(arguments: argparse.Namespace, runner: "Runner") -> Iterator[bool]:
    """Hold the state folder, as `--busy` and `--wait` say. False: it is busy, and this process should leave."""
    from runner.errors import StateFolderBusy, UserError

    if arguments.wait and arguments.busy != "wait":
        raise UserError(f"--wait says how long --busy wait waits, and this is --busy {arguments.busy}; add --busy wait")
    longest = _longest(arguments, runner)
    with ExitStack() as held:
        busy = None
        try:
            held.enter_context(runner.driving())
        except StateFolderBusy as error:
            busy = error
        joins = arguments.busy == "join" and not runner.is_elsewhere
        yield busy is None or joins or _after_waiting(arguments, runner, held, longest, busy)


def _longest(arguments: argparse.Namespace, runner: "Runner") -> "dt.timedelta | None":
    """How long to wait; None: as long as it takes, as those who join do where two cannot have the state at once."""
    from runner.model.duration import parse_duration

    if arguments.busy == "join" and runner.is_elsewhere:
        return None
    return parse_duration(arguments.wait or WAIT)


def _after_waiting(
    arguments: argparse.Namespace, runner: "Runner", held: ExitStack, longest: "dt.timedelta | None", busy: Exception
) -> bool:
    """Whether it could be had within the time that may be waited; said otherwise."""
    from runner.cli.session import LOOK_ELSEWHERE_EVERY, note
    from runner.errors import StateFolderBusy

    who = str(busy).partition(";")[0]
    if arguments.busy == "leave":
        note(f"{who}; leaving it to that one (--busy leave)")
        return False
    note(f"{who}; waiting{f' up to {arguments.wait or WAIT}' if longest is not None else ''} for it to end")
    deadline = time.monotonic() + longest.total_seconds() if longest is not None else float("inf")
    while time.monotonic() < deadline:
        time.sleep(LOOK_ELSEWHERE_EVERY if runner.is_elsewhere else _LOOK_EVERY)
        try:
            held.enter_context(runner.driving())
            return True
        except StateFolderBusy as still:
            who = str(still).partition(";")[0]
    note(f"{who}, for longer than {arguments.wait or WAIT}; leaving (--busy wait)")
    return False
