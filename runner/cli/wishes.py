"""Wishes about a deployment that is under way: recorded at once, carried out by whoever drives the state folder."""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from runner.cli.follow import Verdict, carry_out, show_recorded
from runner.cli.session import Hold, checkout_here, opened
from runner.errors import StateFolderBusy
from runner.model.deployment import Deployment

if TYPE_CHECKING:
    from runner.wiring import Runner


def opened_for_wishes(arguments: argparse.Namespace, hold: Hold = "wait") -> "AbstractContextManager[Runner]":
    """A runner that can also carry out what it records. *hold*: as of `opened`."""
    return opened(arguments, checkout=checkout_here(arguments), logging=True, hold=hold)


def wish(
    arguments: argparse.Namespace,
    runner: "Runner",
    deployment_id: str,
    record: Callable[[], Deployment],
    well: Verdict,
) -> int:
    """Record it. Somebody drives the state folder: leave it to them. Nobody does: carry it out here, to the end."""
    since = runner.store.last_entry_id()
    record()
    if (driver := driven_by(runner)) is not None:
        return show_recorded(arguments, [runner.store.deployment(deployment_id)], f"recorded; {driver}")
    return carry_out(arguments, runner, [deployment_id], since, well=well)


def driven_by(runner: "Runner") -> str | None:
    """A sentence that names the process which drives the state folder, None when nobody does."""
    try:
        with runner.driving():
            return None
    except StateFolderBusy as busy:
        return f"{busy.message.partition(';')[0]} and carries it out"
