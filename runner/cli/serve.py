"""`penstock serve`: watch and deploy until told to stop."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.config import Tls
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
        "--listen", metavar="HOST:PORT", help="answer clients and agents there (default: the configuration's)"
    )
    parser.add_argument("--tls-certificate", metavar="PATH", help="certificate and chain in PEM for --listen")
    parser.add_argument("--tls-private-key", metavar="PATH", help="its private key in PEM")
    parser.add_argument(
        "--without-tls",
        action="store_true",
        help="listen without TLS also where other machines can reach it: a proxy does TLS",
    )


def run(arguments: argparse.Namespace) -> int:
    import asyncio

    from runner.cli import exits
    from runner.cli.session import check_folder, checkout_here, note, opened
    from runner.cli.sigterm import sigterm_interrupts

    check_folder(arguments, "serve")
    here = checkout_here(arguments)
    with sigterm_interrupts(), opened(arguments, checkout=here, logging=True) as runner, runner.driving():
        if not runner.config.repositories:
            note("no repository is configured: only what other commands record in this state folder is carried out")
        asyncio.run(_serve(arguments, runner))
    return exits.FINE


async def _serve(arguments: argparse.Namespace, runner: "Runner") -> None:
    import asyncio
    from contextlib import suppress

    from runner.cli.progress import Progress, view_for

    view = view_for(arguments, runner.store.events, as_json=arguments.output == "json")
    progress = Progress(runner.store, view, runner.store.last_entry_id())
    progress.begin_with(each.id for each in runner.service.list(active=True, limit=None))
    showing = asyncio.create_task(progress.run())
    try:
        await runner.serve(
            arguments.listen,
            lambda address: _ready(arguments, runner, address),
            tls=_tls(arguments),
            without_tls=arguments.without_tls,
        )
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        await progress.finish()


def _ready(arguments: argparse.Namespace, runner: "Runner", address: str | None) -> None:
    """Say so here, and in the state folder, where `penstock health` looks."""
    from runner.cli.session import note

    if address:
        scheme = "https" if _tls(arguments) or runner.config.tls else "http"
        host, _, port = address.rpartition(":")
        with runner.driving() as held:
            held.tell(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{address}")
    note(f"serving from {runner.folder}" + (f", listening on {address}" if address else ""))


def _tls(arguments: argparse.Namespace) -> "Tls | None":
    """The files that were given, both. Raises `UserError`."""
    from runner.config import Tls
    from runner.errors import UserError

    certificate, private_key = arguments.tls_certificate, arguments.tls_private_key
    if bool(certificate) != bool(private_key):
        raise UserError("--tls-certificate and --tls-private-key go together; give both")
    return Tls(certificate=certificate, private_key=private_key) if certificate else None
