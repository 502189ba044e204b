"""Starts the real program many times without paying for its imports each time: everything is imported once, then forked.

Run as a script. Reads one JSON object a line: `argv`, `cwd`, `log` (file for its output), and optionally `kill_after`: the
process kills itself with SIGKILL right after the transaction that holds the journal entry of that number is durable.
Answers each with the child's pid; `{"wait": pid}` with its exit status (negative: the signal's number).
"""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_everything() -> None:
    import runner.cli.main
    import runner.execute.driver
    import runner.flow
    import runner.notify.outbox
    import runner.notify.router
    import runner.platforms.server.packing
    import runner.platforms.server.packs
    import runner.platforms.server.platform
    import runner.platforms.server.supply
    import runner.sources.all
    import runner.store.migrations
    import runner.store.store
    import runner.traffic.haproxy
    import runner.traffic.platform
    import runner.watch.files
    import runner.watch.poll
    import runner.wiring  # noqa: F401


def die_after(entry: int) -> None:
    """Make this process kill itself once the journal holds *entry* entries, durably."""
    from runner.store.database import Database

    write = Database.write

    @contextmanager
    def watched(self: Database) -> Iterator[Any]:
        with write(self) as tx:
            yield tx
        reading = sqlite3.connect(self.file)
        (written,) = reading.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
        if written >= entry:
            os.kill(os.getpid(), signal.SIGKILL)
        reading.close()

    Database.write = watched  # type: ignore[method-assign]


def child(order: dict[str, Any]) -> None:
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, descriptor in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, descriptor)
    os.chdir(order["cwd"])
    if order.get("kill_after"):
        die_after(order["kill_after"])
    from runner.cli.main import main

    code = main(order["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    import_everything()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            try:
                child(order)
            finally:
                os._exit(99)
        print(json.dumps({"pid": pid}), flush=True)


if __name__ == "__main__":
    serve()
