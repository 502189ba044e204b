"""`penstock show ID`: what happened, where, in which script, what is being done about it, and what you can do."""

import argparse

DESCRIPTION = """\
Shows what a deployment deployed, for whom and when; every target with its lifecycle events; for each that failed the
script, its message and the end of its output; the rollback and its state; and the commands that lead on from here. A
terminal that is too narrow for all events gets the last one of each target, or one event a line."""
EXAMPLE = """\
penstock show d-1A2B3C4D5
penstock show d-1A2B --follow
penstock --output json show d-1A2B3C4D5 | jq .deployment.status"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the deployment; a beginning that no other has will do")
    parser.add_argument("--follow", action="store_true", help="show live progress first, until it has ended")


def run(arguments: argparse.Namespace) -> int:
    import datetime as dt
    from functools import partial

    from runner.cli import exits
    from runner.cli.session import find_deployment, opened
    from runner.model.value import to_json

    with opened(arguments) as runner:
        deployment_id = find_deployment(runner.store, arguments.id)
        if arguments.follow:
            from runner.cli.follow import look_on

            look_on(arguments, runner, [deployment_id])
        described = runner.service.describe(deployment_id)
        if arguments.output == "json":
            print(to_json(described))
        else:
            from runner.cli.awaited import awaited_agents
            from runner.cli.description import show
            from runner.cli.screen import console

            now = dt.datetime.now(dt.UTC)
            rollback = described.deployment.rollback
            other = rollback and rollback.rollback_deployment_id
            show(
                console(),
                described,
                runner.store.deployment(other) if other else None,
                partial(runner.logs.read, deployment_id),
                now,
                awaited_agents(runner.store, described, now),
            )
    return exits.FINE
