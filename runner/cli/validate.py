"""`penstock validate [PATH]`: every mistake of every file, before anything is deployed. Imports as little as it can."""

import argparse
from pathlib import Path

DESCRIPTION = """\
Checks every penstock.yaml below PATH and every .penstock/*.yaml in it, the AppSpec files and task definitions that
they name, and penstock.toml if it is there; or the one file that PATH is. Prints each mistake as
`FILE:LINE PATH: message`, all of them at once, and ends with status 2 if there was one. Needs no repository, no hosts
and no network."""
EXAMPLE = """\
penstock validate
penstock --output json validate deploy/penstock.yaml"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", nargs="?", type=Path, default=Path(), help="folder or file (default: .)"
    )


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.checking import check
    from runner.cli.words import count

    checked = check(arguments.path, arguments.config)
    if arguments.output == "json":
        from runner.model.value import to_json

        kinds = {"mistakes": checked.mistakes, "warnings": checked.warnings}
        print(to_json({"files": checked.files} | {kind: [m._asdict() for m in found] for kind, found in kinds.items()}))
    else:
        for warning in checked.warnings:
            print(f"{warning} (warning)")
        for mistake in checked.mistakes:
            print(mistake)
        verdict = count(len(checked.mistakes), "mistake") if checked.mistakes else "all is well"
        print(f"{count(len(checked.files), 'file')} checked: {verdict}")
    return exits.USERS_MISTAKE if checked.mistakes else exits.FINE
