"""The agent of hosts with `transport = "agent"`: as the one file that travels to them, and to be run from here."""

from collections.abc import Sequence

from runner import __version__
from runner.host.agent import main as of_host
from runner.platforms.server.zipapp import sources, zipped

_MAIN = b"""\
import sys

if sys.version_info < (3, 8):
    sys.exit("penstock-agent: this is Python %d.%d; the agent needs 3.8 or later" % sys.version_info[:2])

from runner.host.agent.main import main

sys.exit(main(sys.argv[1:]))
"""


def agent_zipapp() -> bytes:
    """`penstock-agent.pyz` of this version; runs on any machine with Python 3.8 or later."""
    found = sources(with_agent=True)
    found["runner/__init__.py"] = f'__version__ = "{__version__}"\n'.encode()
    return zipped(found, _MAIN)


def run_agent(arguments: Sequence[str]) -> int:
    """Run a verb of the agent in this process; `run` ends the process. Returns the exit status."""
    return of_host.main(arguments, prog="penstock agent")
