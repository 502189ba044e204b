"""The verbs of the host's side: `hub` (many sessions, started by a fork each) and `session` (one, on stdin and stdout)."""

from __future__ import annotations

import gc
import os
import sys


def main(arguments: list[str]) -> int:
    """Run one verb until the other side hangs up. Returns the exit status; 2 for a verb that does not exist."""
    if arguments == ["hub"]:
        from runner.host import hub

        hub.serve(0)
        return 0
    if arguments[:1] == ["session"] and len(arguments) <= 2:
        from runner.host import session
        from runner.host.wire import Wire

        session.detach()
        source, sink = os.dup(0), os.dup(1)
        session.occupy_standard_streams(0, 1)
        if len(arguments) == 2:  # so that the other side can tell our words from what a login shell prints before
            os.write(sink, '\n{{"penstock": "{}"}}\n'.format(arguments[1]).encode())
        gc.enable()
        session.serve(Wire(source, sink))
        os._exit(0)  # taking the interpreter down in good order would cost as much as a quarter of its start
    sys.stderr.write("usage: hub | session\n")
    return 2
