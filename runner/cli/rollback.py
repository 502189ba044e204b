"""`penstock rollback ID`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.cli.follow import Watched

DESCRIPTION = """\
Brings a deployment group back to what it had before a deployment. One that has ended: the revision before it is
deployed anew; where the traffic of a function, a service or replaced hosts can still go back, only that moves. One under
way: it is stopped, and its rollback follows. Stays until that has ended; when another process drives the state folder,
that one carries it out, and this command follows it."""
EXAMPLE = """\
penstock rollback d-1A2B3C4D5
penstock rollback d-1A2B --detach"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the deployment; a beginning that no other has will do")
    parser.add_argument("--detach", action="store_true", help="record it and leave; `serve` or `sync` carries it out")


def run(arguments: argparse.Namespace) -> int:
    from runner.cli.follow import all_succeeded, carry_out, show_recorded
    from runner.cli.session import find_deployment
    from runner.cli.wishes import opened_for_wishes

    with opened_for_wishes(arguments) as runner:
        since = runner.store.last_entry_id()
        unwanted = find_deployment(runner.store, arguments.id)
        made = runner.service.roll_back(unwanted)
        if arguments.detach:
            return show_recorded(arguments, [runner.store.deployment(made or unwanted)], "rollback recorded")
        return carry_out(arguments, runner, [made or unwanted], since, well=all_succeeded if made else _rolled_back)


def _rolled_back(watched: "Watched") -> bool:
    from runner.model.deployment import DeploymentStatus

    _unwanted, *rollbacks = watched.deployments()
    return bool(rollbacks) and all(each.status is DeploymentStatus.SUCCEEDED for each in rollbacks)
