"""`penstock agent`: the agent of hosts that ask for work, as one file to take there, or run from here."""

import argparse

DESCRIPTION = """\
The agent makes a machine a host that asks this server for work, over HTTPS; nothing has to reach the host. `build` writes
it to one file that needs nothing but Python 3.8 or later; the other verbs are those of that file, run from here:
`enrol` (by a token that `penstock keys enrol HOST` prints), `run`, `check` and `unit` (a systemd unit).
`penstock agent enrol --help` explains it and shows every step."""
EXAMPLE = """\
penstock agent build penstock-agent.pyz
penstock agent enrol --server https://penstock.example.com:8443 --token TOKEN
penstock agent run"""

_VERBS = ("enrol", "run", "check", "unit")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("build", *_VERBS), metavar="ACTION", help="build, enrol, run, check or unit")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="FILE for build, or the verb's options"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "build":
        return _build(arguments.arguments)
    from runner.platforms.server.agent import run_agent

    return run_agent([arguments.action, *arguments.arguments])


def _build(given: list[str]) -> int:
    from pathlib import Path

    from runner.cli import exits
    from runner.errors import UserError
    from runner.platforms.server.agent import agent_zipapp

    if len(given) != 1 or given[0].startswith("-"):
        raise UserError("name the file to write: penstock agent build penstock-agent.pyz")
    path, content = Path(given[0]), agent_zipapp()
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(content)
        fresh.chmod(0o755)
        fresh.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    print(f"{path}: {len(content) / 1024:.0f} KiB, for any machine with Python 3.8 or later")
    return exits.FINE
