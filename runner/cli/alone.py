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
        "the default); wait until it has ended; leave at once, with status 75",
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
    from runner.model.duration import parse_duration

    if arguments.wait and arguments.busy != "wait":
        raise UserError(f"--wait says how long --busy wait waits, and this is --busy {arguments.busy}; add --busy wait")
    longest = parse_duration(arguments.wait or WAIT)
    with ExitStack() as held:
        busy = None
        try:
            held.enter_context(runner.driving())
        except StateFolderBusy as error:
            busy = error
        yield busy is None or arguments.busy == "join" or _after_waiting(arguments, runner, held, longest, busy)


def _after_waiting(
    arguments: argparse.Namespace, runner: "Runner", held: ExitStack, longest: "dt.timedelta", busy: Exception
) -> bool:
    """Whether it could be had within the time that may be waited; said otherwise."""
    from runner.cli.session import note
    from runner.errors import StateFolderBusy

    who = str(busy).partition(";")[0]
    if arguments.busy == "leave":
        note(f"{who}; leaving it to that one (--busy leave)")
        return False
    note(f"{who}; waiting up to {arguments.wait or WAIT} for it to end")
    deadline = time.monotonic() + longest.total_seconds()
    while time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
        try:
            held.enter_context(runner.driving())
            return True
        except StateFolderBusy as still:
            who = str(still).partition(";")[0]
    note(f"{who}, for longer than {arguments.wait or WAIT}; leaving (--busy wait)")
    return False
