"""`penstock continue ID`."""

import argparse

DESCRIPTION = """\
Ends the wait that a deployment is in: a `hold` of its rollout, the `bake` of the group before it, the wait before
traffic moves, or the time for which the old version is kept. The process that drives the state folder carries it out;
where there is none, this command does, and ends with the deployment."""
EXAMPLE = """\
penstock continue d-1A2B3C4D5"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the deployment; a beginning that no other has will do")


def run(arguments: argparse.Namespace) -> int:
    from runner.cli.follow import all_succeeded
    from runner.cli.session import find_deployment
    from runner.cli.wishes import opened_for_wishes, wish

    with opened_for_wishes(arguments, hold="now") as runner:
        held = find_deployment(runner.store, arguments.id)
        return wish(arguments, runner, held, lambda: runner.service.continue_(held), all_succeeded)
