"""`penstock list`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from runner.model.deployment import Deployment

DESCRIPTION = """\
Lists deployments, newest first: what was deployed where, by whom, when, and how it ended."""
EXAMPLE = """\
penstock list --application shop --group production
penstock --output json list --active"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--application", metavar="A", help="only of this application")
    parser.add_argument("--group", metavar="G", help="only to groups of this name")
    parser.add_argument("--active", action="store_true", help="only those that have not ended")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (default: 20; 0 for all)")


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.session import opened
    from runner.model.value import to_json

    with opened(arguments) as runner:
        found = runner.service.list(
            application=arguments.application,
            group=arguments.group,
            active=arguments.active,
            limit=arguments.limit or None,
        )
    if arguments.output == "json":
        print(to_json(found))
    elif found:
        from runner.cli.screen import console, table

        head = ("ID", "STATUS", "WHERE", "REVISION", "BY", "CREATED", "TOOK", "")
        table(console(), head, [_row(each) for each in found])
    else:
        print("no such deployment")
    return exits.FINE


def _row(deployment: "Deployment") -> "tuple[str | Text, ...]":
    from runner.cli.screen import status
    from runner.cli.words import between, moment, one_line

    return (
        deployment.id,
        status(deployment.status),
        deployment.place,
        deployment.revision.short,
        {"codeDeployRollback": "rollback", "CodeDeploy": "watcher"}.get(deployment.creator, deployment.creator),
        moment(deployment.created_at),
        between(deployment.started_at, deployment.completed_at),
        one_line(_remark(deployment)),
    )


def _remark(deployment: "Deployment") -> str:
    if deployment.waiting_for:
        return f"waits for {deployment.waiting_for}"
    return deployment.error.message if deployment.error else deployment.options.description
