"""The verbs of the host's side: `hub` (many sessions, started by a fork each) and `session` (one, on stdin and stdout)."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    """Run one verb until the other side hangs up. Returns the exit status; 2 for a verb that does not exist."""
    if arguments == ["hub"]:
        from runner.host import hub

        hub.serve(0)
        return 0
    if arguments == ["session"]:
        from runner.host import session
        from runner.host.wire import Wire

        session.detach()
        source, sink = os.dup(0), os.dup(1)
        session.occupy_standard_streams(0, 1)
        session.serve(Wire(source, sink))
        return 0
    sys.stderr.write("usage: hub | session\n")
    return 2
