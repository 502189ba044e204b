"""`penstock sync`: look once, deploy what changed, leave."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.cli.follow import Watched
    from runner.wiring import Runner

DESCRIPTION = """\
Polls every repository of the configuration once, deploys what changed, carries on whatever an earlier process left
unfinished, and ends when nothing is under way any more. Made for cron; --busy says what a run does that finds an earlier
one still at work. A repository that cannot be reached does not hold up the others. Where several things went wrong the
exit status is 1 for a deployment that failed or was stopped, else 2 for a change that was refused, else 3 for a
repository or change that has to be tried again."""
EXAMPLE = """\
penstock --config /etc/penstock.toml sync
*/5 * * * *  penstock --config /etc/penstock.toml --output json sync --busy leave   # as a crontab has it"""


def declare(parser: argparse.ArgumentParser) -> None:
    from runner.cli import alone

    alone.declare(parser)


def run(arguments: argparse.Namespace) -> int:
    from runner.cli import exits
    from runner.cli.alone import alone
    from runner.cli.session import checkout_here, opened
    from runner.cli.sigterm import sigterm_interrupts

    here = checkout_here(arguments)
    with (
        sigterm_interrupts(),
        opened(arguments, checkout=here, logging=True) as runner,
        alone(arguments, runner) as may_look,
    ):
        return _look_and_deploy(arguments, runner) if may_look else exits.BUSY


def _look_and_deploy(arguments: argparse.Namespace, runner: "Runner") -> int:
    import asyncio

    from runner.cli import exits
    from runner.cli.follow import carry_out
    from runner.cli.session import note
    from runner.errors import UserError

    store = runner.store
    if not runner.config.repositories and not runner.service.list(active=True, limit=1):
        raise UserError("no repository is configured; name one under [repositories] in penstock.toml")
    since, refused_before = store.last_entry_id(), {each.change.id for each in store.changes("Refused")}
    states = asyncio.run(runner.poll())
    going = [each.id for each in reversed(runner.service.list(active=True, limit=None))]
    refused = [each for each in store.changes("Refused") if each.change.id not in refused_before]
    postponed = store.changes("Pending")
    also = {"repositories": states, "refused": refused, "postponed": postponed}
    status = carry_out(arguments, runner, going, since, well=_none_failed, also=also)
    for each in (*refused, *postponed):
        change = each.change
        note(f"{change.repository} {change.ref} {change.commit_id[:10]} {each.status.lower()}: {each.message}")
    failing = [state for state in states if state.failures]
    for state in failing:
        said, name = state.last_error or "", f"repository {state.name}"
        note(said if said.startswith(name) else f"{name}: {said}")
    if status == exits.FINE and refused:
        return exits.USERS_MISTAKE
    return exits.WORLDS_FAILURE if status == exits.FINE and (failing or postponed) else status


def _none_failed(watched: "Watched") -> bool:
    """Being overtaken by something newer is no failure."""
    from runner.model.deployment import DeploymentStatus

    failed = (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)
    overtaken = ("SUPERSEDED",)
    return not any(
        each.status in failed and not (each.error and each.error.code in overtaken) for each in watched.deployments()
    )
