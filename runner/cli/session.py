"""Opening the runner for one verb, and naming deployments on the command line."""

import argparse
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TextIO, cast

from runner.errors import DeploymentDoesNotExist, StateFolderBusy, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.cli.checkout import Checkout
    from runner.config import RepositoryConfig
    from runner.store.store import Store
    from runner.wiring import Runner

LOOK_ELSEWHERE_EVERY = 2.0  # seconds: whether somebody else still has a state that is in no folder
_ID_LENGTH = len("d-") + 9


Hold = Literal["no", "wait", "now"]


@contextmanager
def opened(
    arguments: argparse.Namespace,
    *,
    checkout: "RepositoryConfig | None" = None,
    logging: bool = False,
    hold: Hold = "no",
) -> Iterator["Runner"]:
    """The runner on the state that the global options name. *logging*: for verbs that do things.

    *hold*: for verbs that write, who have to have a state that is in no folder to themselves; they wait for another
    process to end, or are refused at once.
    """
    from runner.wiring import open_runner

    if logging:
        from runner import log

        stream = cast("TextIO", _StandardError())
        log.configure(stream=stream, as_json=arguments.output == "json", verbose=arguments.verbose)
    runner = open_runner(config=arguments.config, state=arguments.state, checkout=checkout)
    gc.freeze()  # what has been loaded stays; nobody need look at it again
    gc.enable()
    try:
        if runner.is_elsewhere and hold != "no":
            _hold(runner, wait=hold == "wait")
        yield runner
    finally:
        runner.close()


def _hold(runner: "Runner", *, wait: bool) -> None:
    """Raises `StateFolderBusy`."""
    import time

    told = False
    while True:
        try:
            return runner.hold()
        except StateFolderBusy as busy:
            if not wait:
                raise
            if not told:
                told = True
                note(f"{busy.message.partition(';')[0]}; waiting for it to end")
        time.sleep(LOOK_ELSEWHERE_EVERY)


def check_folder(arguments: argparse.Namespace, verb: str) -> None:
    """Raises `UserError`: the state is in no folder, and *verb* needs it to be in one."""
    import os

    from runner.wiring import state_folder

    state_folder(arguments.state, os.environ, f"`penstock {verb}`")


def repository_of(arguments: argparse.Namespace, checkout: "Checkout") -> "tuple[RepositoryConfig, bool]":
    """The repository that the checkout belongs to, and whether the configuration knows it."""
    from runner import config
    from runner.cli.checkout import as_repository, configured
    from runner.wiring import config_file

    repositories = config.load(config_file(arguments.config)).repositories
    known = configured(checkout, repositories)
    return (known, True) if known else (as_repository(checkout, repositories), False)


def checkout_here(arguments: argparse.Namespace) -> "RepositoryConfig | None":
    """The checkout around the current folder as a repository, where there is one that is not configured."""
    from pathlib import Path

    return checkout_of(arguments, Path())


def checkout_of(arguments: argparse.Namespace, folder: "Path") -> "RepositoryConfig | None":
    """As `checkout_here`, around *folder*."""
    from runner.cli.checkout import find_if_any

    if (checkout := find_if_any(folder)) is None:
        return None
    repository, known = repository_of(arguments, checkout)
    return None if known else repository


def find_deployment(store: "Store", text: str) -> str:
    """The ID that *text* is, or is the beginning of; `d-` and capitals may be left out.

    Raises `DeploymentDoesNotExist`, or `UserError` when several begin like that.
    """
    wanted = "d-" + text.upper().removeprefix("D-")
    if len(wanted) >= _ID_LENGTH:
        return store.deployment(wanted).id
    found = store.ids_beginning(wanted)
    if not found:
        raise DeploymentDoesNotExist(f"no deployment {text} is known here; `penstock list` shows them")
    if len(found) > 1:
        raise UserError(f"{text} may be {', '.join(found)}; write more of it")
    return found[0]


def note(text: str) -> None:
    """A remark on standard error, beside the result."""
    print(f"penstock: {text}", file=sys.stderr)


class _StandardError:
    """Standard error as it is when something is written: a live display replaces it for a while."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()
