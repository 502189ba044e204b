"""`penstock stop ID`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.cli.follow import Watched

DESCRIPTION = """\
Stops a deployment: lifecycle events in flight end, nothing more is started, and hosts that were not reached are
skipped. Whether it is rolled back is for the group's `rollback` settings to say, unless --rollback or --no-rollback
does. The process that drives the state folder carries it out; where there is none, this command does, and ends with the
deployment and its rollback."""
EXAMPLE = """\
penstock stop d-1A2B3C4D5
penstock stop d-1A2B --rollback"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the deployment; a beginning that no other has will do")
    parser.add_argument(
        "--rollback", action=argparse.BooleanOptionalAction, default=None, help="whether to roll back what was deployed"
    )


def run(arguments: argparse.Namespace) -> int:
    from runner.cli.session import find_deployment
    from runner.cli.wishes import opened_for_wishes, wish

    with opened_for_wishes(arguments, hold="now") as runner:
        stopped = find_deployment(runner.store, arguments.id)
        return wish(
            arguments, runner, stopped, lambda: runner.service.stop(stopped, rollback=arguments.rollback), _well
        )


def _well(watched: "Watched") -> bool:
    """Stopped (or just finished before that), and the rollback, if there was one, succeeded."""
    from runner.model.deployment import DeploymentStatus

    asked, *rollbacks = watched.deployments()
    ended_well = asked.status in (DeploymentStatus.STOPPED, DeploymentStatus.SUCCEEDED)
    return ended_well and all(each.status is DeploymentStatus.SUCCEEDED for each in rollbacks)
