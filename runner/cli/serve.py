"""`penstock serve`: watch and deploy until told to stop."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.wiring import Runner

DESCRIPTION = """\
Watches every repository of the configuration, deploys what changes, carries out what other commands record in the same
state folder, and sends notifications, until SIGTERM or Ctrl-C. Then lifecycle events in flight end, and the rest waits
for the next process; a kill at any moment loses nothing either. Shows live progress on a terminal, plain lines
otherwise, and with --output json one journal entry a line."""
EXAMPLE = """\
penstock serve
penstock --config /etc/penstock.toml --state /var/lib/penstock serve --listen 127.0.0.1:8080"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="answer health checks there (default: the configuration's)"
    )


def run(arguments: argparse.Namespace) -> int:
    import asyncio

    from runner.cli import exits
    from runner.cli.session import checkout_here, note, opened

    with opened(arguments, checkout=checkout_here(arguments), logging=True) as runner, runner.driving():
        if not runner.config.repositories:
            note("no repository is configured: only what other commands record in this state folder is carried out")
        asyncio.run(_serve(arguments, runner))
    return exits.FINE


async def _serve(arguments: argparse.Namespace, runner: "Runner") -> None:
    import asyncio
    from contextlib import suppress

    from runner.cli.progress import Progress, view_for
    from runner.cli.session import note

    view = view_for(arguments, runner.store.events, as_json=arguments.output == "json")
    progress = Progress(runner.store, view, runner.store.last_entry_id())
    progress.begin_with(each.id for each in runner.service.list(active=True, limit=None))
    showing = asyncio.create_task(progress.run())
    try:
        await runner.serve(
            arguments.listen,
            lambda address: note(f"serving from {runner.folder}" + (f", listening on {address}" if address else "")),
        )
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        await progress.finish()
