"""`penstock deploy`: this checkout's HEAD, now."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.model.deployment import Options

DESCRIPTION = """\
Deploys the commit that HEAD of this checkout points at to the deployment groups of its manifests, and stays until they
and their rollbacks have ended, with live progress. Only what is committed is deployed; when the configuration watches
a remote of this checkout, the commit must have been pushed there. When another process (such as `penstock serve`)
drives the state folder, that one carries it out, and this command follows it."""
EXAMPLE = """\
penstock deploy
penstock deploy --group staging --description 'hotfix for #123'
penstock --output json deploy --detach"""


def declare(parser: argparse.ArgumentParser) -> None:
    choose_manifests(parser)
    add_options(parser)
    parser.add_argument("--detach", action="store_true", help="record it and leave; `serve` or `sync` carries it out")


def choose_manifests(parser: argparse.ArgumentParser) -> None:
    """Options that say which checkout, and what of it."""
    parser.add_argument(
        "-C", dest="folder", metavar="PATH", type=Path, default=Path(), help="the checkout (default: .)"
    )
    parser.add_argument(
        "--application", action="append", default=[], metavar="A", help="only this one; may be repeated"
    )
    parser.add_argument("--group", action="append", default=[], metavar="G", help="only this group; may be repeated")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What whoever creates a deployment may choose for it."""
    parser.add_argument("--description", default="", metavar="TEXT", help="why, for the record")
    parser.add_argument(
        "--ignore-application-stop-failures",
        action="store_true",
        help="go on where the installed revision's ApplicationStop script fails",
    )
    parser.add_argument(
        "--file-exists-behavior",
        choices=("DISALLOW", "OVERWRITE", "RETAIN"),
        default="DISALLOW",
        type=str.upper,
        help="what to do with files on a host that no deployment put there (default: DISALLOW, which fails)",
    )


def run(arguments: argparse.Namespace) -> int:
    from runner.cli.follow import carry_out, show_recorded
    from runner.cli.head import at_head, warn_of_changes

    with at_head(arguments) as head:
        warn_of_changes(head.checkout)
        wanted, chosen = head.wanted(), options(arguments)
        head.keep_bundles(wanted)
        store, service = head.runner.store, head.runner.service
        since = store.last_entry_id()
        made = service.create(head.repository.name, *wanted, options=chosen)
        if arguments.detach:
            return show_recorded(arguments, [store.deployment(each) for each in made], "recorded")
        return carry_out(arguments, head.runner, made, since)


def options(arguments: argparse.Namespace) -> "Options":
    """The chosen options as a value."""
    from runner.model.deployment import Options

    return Options(
        description=arguments.description,
        ignore_application_stop_failures=arguments.ignore_application_stop_failures,
        file_exists_behavior=arguments.file_exists_behavior,
    )
