"""`penstock`: global options, one verb, and the exit status that its end deserves.

Imports the standard library and the declarations of the verbs; what a verb needs it imports when it runs.
"""

import argparse
import gc
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from runner.cli import exits
from runner.cli.verbs import SUMMARIES, load

_DESCRIPTION = """\
Penstock turns commits into staged rollouts, the AWS CodeDeploy way: a repository says what it deploys, where and how
carefully, and Penstock carries it out, batch by batch, and rolls back what fails."""

_EPILOG = f"""\
example:
  penstock init && git add -A && git commit -m 'Deploy with Penstock'
  penstock deploy

exit status:
{exits.table()}

`penstock VERB --help` explains a verb and shows an example."""


class _Version(argparse.Action):
    """Prints the version, asked of the package only when somebody wants to know."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from runner import __version__

        print(f"penstock {__version__}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status. Never raises."""
    gc.disable()  # most verbs are done before there is garbage worth a look; those that stay turn it on again
    try:
        return _run(argv)
    finally:
        gc.enable()


def _run(argv: Sequence[str] | None) -> int:
    try:
        given = sys.argv[1:] if argv is None else argv
        arguments = parser(given).parse_args(given)
    except SystemExit as left:  # --help, --version, or a mistake that argparse has shown
        return left.code if isinstance(left.code, int) else exits.USERS_MISTAKE
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _reader_left()
    except KeyboardInterrupt:
        print("penstock: interrupted", file=sys.stderr)
        return exits.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: every error becomes a message and a status
        from runner.cli.failure import report

        return report(error, arguments)


def parser(argv: Collection[str] = tuple(SUMMARIES)) -> argparse.ArgumentParser:
    """The command line, as far as *argv* needs it: verbs that it does not name have no options. Default: all of it."""
    top = argparse.ArgumentParser(
        prog="penstock",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_global_options(top)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, summary in SUMMARIES.items():
        if name not in argv:
            verbs.add_parser(name, help=summary)
            continue
        verb = load(name)
        declared = verbs.add_parser(
            name,
            help=summary,
            description=verb.DESCRIPTION,
            epilog="example:\n" + "\n".join(f"  {line}" for line in verb.EXAMPLE.splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_global_options(declared, again=True)
        verb.declare(declared)
        declared.set_defaults(run=verb.run)
    return top


def _add_global_options(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """*again*: behind the verb they are understood as well, and not shown once more."""

    def add(*names: str, default: Any = None, help: str, **how: Any) -> None:
        default, help = (argparse.SUPPRESS, argparse.SUPPRESS) if again else (default, help)
        parser.add_argument(*names, default=default, help=help, **how)

    here, there = "./penstock.toml, if there is one", "$PENSTOCK_STATE, else the user's state folder"
    add("--config", metavar="FILE", type=Path, help=f"the runner's configuration (default: {here})")
    add("--state", metavar="PLACE", help=f"the state folder, s3:// or postgresql:// address (default: {there})")
    add("--output", choices=("text", "json"), default="text", help="how results are printed (default: text)")
    traces = "say more: every lifecycle event, debug logs, tracebacks"
    add("--verbose", action="store_true", default=False, help=traces)


def _reader_left() -> int:
    """Whoever read our output has gone (`| head`); leave quietly, and keep Python from flushing into the void."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.FINE
