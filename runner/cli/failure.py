"""Errors become a message on standard error and an exit status."""

import argparse
import datetime as dt
import os
import sys
import traceback
from pathlib import Path

from runner.cli import exits
from runner.errors import InvalidFiles, UserError, WorldError


def report(error: Exception, arguments: argparse.Namespace) -> int:
    """Say what went wrong; returns the exit status."""
    if isinstance(error, InvalidFiles):
        print(error.message, file=sys.stderr)
        return exits.USERS_MISTAKE
    if isinstance(error, UserError):
        print(f"penstock: {error.message}", file=sys.stderr)
        return exits.USERS_MISTAKE
    if isinstance(error, WorldError):
        print(f"penstock: {error.message}", file=sys.stderr)
        return exits.WORLDS_FAILURE
    return _bug(error, arguments)


def _bug(error: Exception, arguments: argparse.Namespace) -> int:
    text = "".join(traceback.format_exception(error))
    if arguments.verbose:
        print(text, end="", file=sys.stderr)
        what = "the traceback above"
    elif (file := _kept(text, arguments)) is not None:
        what = str(file)
    else:
        what = "what the same command prints with --verbose"
    print(
        f"penstock: this is a bug in Penstock: {type(error).__name__}: {error}\n"
        f"penstock: nothing recorded is lost. Please report the command and {what}",
        file=sys.stderr,
    )
    return exits.OUR_BUG


def _kept(text: str, arguments: argparse.Namespace) -> Path | None:
    """The file in the state folder that now holds the traceback; None when it cannot be written."""
    try:
        from runner.wiring import state_folder

        folder = state_folder(arguments.state, os.environ, "a report")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"crash-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%fZ}.log"
        file.write_text(f"{sys.argv}\n{text}", encoding="utf-8")
        file.chmod(0o600)
        return file
    except Exception:  # noqa: BLE001 - a second failure must not hide the first
        return None
