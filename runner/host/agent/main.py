"""The verbs of the agent: `enrol`, `run`, `check`, `unit`."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys

from runner.host.agent import settings as places
from runner.host.agent.errors import Broken, Mistake, Rejected, Unreachable
from runner.host.agent.service import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FINE, NOT_FINE, USERS_MISTAKE, WORLDS_FAILURE = 0, 1, 2, 3

_DESCRIPTION = """\
The Penstock agent makes this machine a host that deployments go to: it asks the server for work, has it carried out and
reports how that ended. It needs Python 3.8 or later, and nothing else."""

_EPILOG = """\
from nothing, as root, with a token that `penstock keys enrol HOST` printed where the server runs:
  python3 penstock-agent.pyz enrol --server https://penstock.example.com:8443 --token TOKEN
  python3 penstock-agent.pyz check
  python3 penstock-agent.pyz unit > /etc/systemd/system/penstock-agent.service
  systemctl enable --now penstock-agent"""


def main(arguments: Sequence[str], prog: str = "penstock-agent") -> int:
    """Run one verb. Returns the exit status: 1 when a check is not fine, 2 for a user's mistake, 3 for the world's."""
    gc.enable()
    try:
        given = _parser(prog).parse_args(arguments)
    except SystemExit as left:  # --help, --version, or a mistake that argparse has shown
        return left.code if isinstance(left.code, int) else USERS_MISTAKE
    try:
        return int(given.do(given))
    except Mistake as error:
        return _say(str(error), USERS_MISTAKE)
    except (Unreachable, Rejected, Broken) as error:
        return _say(str(error), WORLDS_FAILURE)


def _parser(prog: str) -> argparse.ArgumentParser:
    how = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    top = argparse.ArgumentParser(prog=prog, description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False, **how)  # type: ignore[arg-type]
    top.add_argument("--version", action="version", version="penstock-agent " + VERSION)
    verbs = top.add_subparsers(title="verbs", metavar="VERB", required=True)
    enrol = verbs.add_parser("enrol", help="make this machine a host of a server, by a one-time token")
    enrol.add_argument("--server", metavar="URL", required=True, help="such as https://penstock.example.com:8443")
    enrol.add_argument(
        "--token", metavar="TOKEN", required=True, help="printed by `penstock keys enrol HOST`; - reads it"
    )
    enrol.add_argument("--ca-file", metavar="FILE", default="", help="trust these certificates, not the system's")
    enrol.add_argument(
        "--host-state", metavar="DIR", default="", help="the state folder (default: {})".format(places.STATE)
    )
    enrol.add_argument("--plain-http", action="store_true", help="allow http:// to another machine")
    enrol.set_defaults(do=_enrol)
    run = verbs.add_parser("run", help="ask for work and carry it out, until told to stop")
    run.set_defaults(do=_run)
    check = verbs.add_parser("check", help="tell whether this host could work")
    check.set_defaults(do=_check)
    unit = verbs.add_parser("unit", help="print a systemd unit for the agent where it is now")
    unit.set_defaults(do=_unit)
    for verb in (enrol, run, check, unit):
        verb.add_argument("--config", metavar="FILE", default=places.FILE, help="(default: {})".format(places.FILE))
    return top


def _enrol(given: argparse.Namespace) -> int:
    from runner.host.agent.enrolment import enrol

    token = sys.stdin.readline() if given.token == "-" else given.token
    path = os.path.abspath(given.config)
    made = enrol(given.server, token, path, given.ca_file, given.host_state, given.plain_http)
    print("This machine is host {} of {}; see {}.".format(made.host, made.server, path))
    return FINE


def _run(given: argparse.Namespace) -> int:
    from runner.host.agent.agent import Agent

    agent = Agent(os.path.abspath(given.config))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # settings are read again when they change
    agent.run()
    sys.stderr.flush()
    os._exit(FINE)  # threads that wait for the network would hold up an end in good order


def _check(given: argparse.Namespace) -> int:
    from runner.host.agent.check import findings

    status = FINE
    for is_fine, what in findings(os.path.abspath(given.config)):
        print("{} {}".format("ok  " if is_fine else "FAIL", what))
        status = status if is_fine else NOT_FINE
    return status


def _unit(given: argparse.Namespace) -> int:
    from runner.host.agent.place import agent_command
    from runner.host.agent.unit import unit

    print(unit([*agent_command(), "run", "--config", os.path.abspath(given.config)]), end="")
    return FINE


def _say(message: str, status: int) -> int:
    sys.stderr.write("penstock-agent: {}\n".format(message))
    return status
