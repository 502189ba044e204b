"""`penstock sync`: look once, deploy what changed, leave."""

import argparse

NAME = "sync"
SUMMARY = "poll every configured repository once, deploy what changed, exit"
DESCRIPTION = """\
Polls every repository of the configuration once, deploys what changed, carries on whatever an earlier process left
unfinished, and ends when nothing is under way any more. Made for cron. A repository that cannot be reached does not
hold up the others. Where several things went wrong the exit status is 1 for a deployment that failed or was stopped,
else 2 for a change that was refused, else 3 for a repository or change that has to be tried again."""
EXAMPLE = """\
penstock --config /etc/penstock.toml sync
*/5 * * * *  penstock --config /etc/penstock.toml --output json sync   # as a crontab has it"""


def declare(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(arguments: argparse.Namespace) -> int:
    import asyncio

    from runner.cli import exits
    from runner.cli.follow import carry_out
    from runner.cli.session import checkout_here, note, opened
    from runner.errors import UserError

    with opened(arguments, checkout=checkout_here(arguments), logging=True) as runner:
        store = runner.store
        unfinished = runner.service.list(active=True, limit=None)
        if not runner.config.repositories and not unfinished:
            raise UserError("no repository is configured; name one under [repositories] in penstock.toml")
        since, refused_before = store.last_entry_id(), {each.change.id for each in store.changes("Refused")}
        states = asyncio.run(runner.poll())
        going = [each.id for each in reversed(runner.service.list(active=True, limit=None))]
        status = carry_out(arguments, runner, going, since, well=_none_failed)
        if status != exits.FINE:
            return status
        if refused := [each for each in store.changes("Refused") if each.change.id not in refused_before]:
            for each in refused:
                note(f"{each.change.repository} {each.change.ref} {each.change.commit_id[:10]} refused: {each.message}")
            return exits.USERS_MISTAKE
        later = [f"{state.name}: {state.last_error}" for state in states if state.failures]
        later += [
            f"{each.change.repository} {each.change.ref} postponed: {each.message}" for each in store.changes("Pending")
        ]
        for line in later:
            note(line)
        return exits.WORLDS_FAILURE if later else exits.FINE


def _none_failed(watched: "Watched") -> bool:
    """Being overtaken by something newer is no failure."""
    from runner.model.deployment import DeploymentStatus

    failed = (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)
    overtaken = ("SUPERSEDED",)
    return not any(
        each.status in failed and not (each.error and each.error.code in overtaken) for each in watched.deployments()
    )
