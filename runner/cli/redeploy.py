"""`penstock redeploy [WHAT]`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.deploy import add_options

if TYPE_CHECKING:
    from runner.wiring import Runner

DESCRIPTION = """\
Deploys again: the revision of a deployment (ID), what a group last had successfully (APPLICATION/GROUP), what all
groups of an application last had (APPLICATION), or of the applications of this checkout where nothing is named. Stays
until that has ended; when another process drives the state folder, that one carries it out, and this command follows."""
EXAMPLE = """\
penstock redeploy shop/production
penstock redeploy d-1A2B3C4D5 --file-exists-behavior OVERWRITE"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="WHAT", nargs="?", help="ID, APPLICATION/GROUP or APPLICATION")
    add_options(parser)
    parser.add_argument("--detach", action="store_true", help="record it and leave; `serve` or `sync` carries it out")


def run(arguments: argparse.Namespace) -> int:
    from runner.cli.session import find_deployment
    from runner.cli.wishes import opened_for_wishes

    if arguments.what is None:
        return _of_this_checkout(arguments)
    with opened_for_wishes(arguments) as runner:
        is_id = arguments.what.lower().startswith("d-") and "/" not in arguments.what
        what = find_deployment(runner.store, arguments.what) if is_id else arguments.what
        return _redeploy(arguments, runner, [what])


def _of_this_checkout(arguments: argparse.Namespace) -> int:
    """Every group of the checkout's applications that has something."""
    from runner.cli.head import at_head
    from runner.errors import UserError

    arguments.folder, arguments.application, arguments.group = Path(), [], []
    with at_head(arguments) as head:
        here = {manifest.application for manifest, _groups in head.chosen}
        groups = [group for group in head.runner.service.state().groups if group.application in here and group.current]
        if not groups:
            raise UserError(
                f"nothing of {', '.join(sorted(here))} was deployed successfully yet; `penstock deploy` first"
            )
        return _redeploy(arguments, head.runner, [f"{group.application}/{group.group}" for group in groups])


def _redeploy(arguments: argparse.Namespace, runner: "Runner", what: list[str]) -> int:
    from runner.cli.deploy import options
    from runner.cli.follow import carry_out, show_recorded

    since, chosen = runner.store.last_entry_id(), options(arguments)
    made = [each for one in what for each in runner.service.redeploy(one, chosen)]
    if arguments.detach:
        return show_recorded(arguments, [runner.store.deployment(each) for each in made], "recorded")
    return carry_out(arguments, runner, made, since)
