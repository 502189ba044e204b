"""The verbs of the host's side: `hub` (many sessions, started by a fork each) and `session` (one, on stdin and stdout)."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main(arguments: list[str]) -> int:
    """Run one verb until the other side hangs up. Returns the exit status; 2 for a verb that does not exist."""
    if arguments == ["hub"]:
        from runner.host import hub

        hub.serve(0)
        return 0
    if arguments[:1] == ["session"] and len(arguments) <= 3:
        _session(*arguments[1:])
    sys.stderr.write("usage: hub | session\n")
    return 2


def _session(name: str = "", stays: str = "0") -> NoReturn:
    """*name*: what to say first, so that the other side can tell our words from what a login shell prints before.

    *stays*: seconds for which to wait for further sessions when this one is over.
    """
    from runner.host import session
    from runner.host.wire import Wire

    hello = '\n{{"penstock": "{}"}}\n'.format(name).encode() if name else b""
    session.detach()
    wire = Wire(os.dup(0), os.dup(1))
    session.occupy_standard_streams(0, 1)
    gc.enable()
    os.write(wire.sink, hello)
    session.serve(wire)
    if float(stays):
        from runner.host import warm

        wire.close()
        session.occupy_standard_streams(2)
        warm.stay(os.path.dirname(os.path.abspath(sys.argv[0])), hello, float(stays))
    os._exit(0)  # taking the interpreter down in good order would cost as much as a quarter of its start
