"""`penstock redeploy [WHAT]`."""

import argparse

from runner.cli.deploy import add_options

NAME = "redeploy"
SUMMARY = "deploy again what a group last had successfully, or a deployment's revision"
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
    from runner.cli.deploy import options
    from runner.cli.follow import carry_out, show_recorded
    from runner.cli.wishes import opened_for_wishes

    with opened_for_wishes(arguments) as runner:
        since = runner.store.last_entry_id()
        what = _what(arguments, runner)
        made = [each for one in what for each in runner.service.redeploy(one, options(arguments))]
        if arguments.detach:
            return show_recorded(arguments, [runner.store.deployment(each) for each in made], "recorded")
        return carry_out(arguments, runner, made, since)


def _what(arguments: argparse.Namespace, runner: "Runner") -> list[str]:
    from runner.cli.session import find_deployment

    if arguments.what is None:
        return _applications_here(arguments)
    if arguments.what.lower().startswith("d-") and "/" not in arguments.what:
        return [find_deployment(runner.store, arguments.what)]
    return [arguments.what]


def _applications_here(arguments: argparse.Namespace) -> list[str]:
    """The applications that the checkout around the current folder describes at HEAD."""
    arguments.folder, arguments.application, arguments.group = Path(), [], []
    from runner.cli.head import wanted_at_head

    with wanted_at_head(arguments, deploying=False) as (_runner, head):
        return [wanted.manifest.application for wanted in head.wanted]
