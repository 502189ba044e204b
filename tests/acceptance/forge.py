"""Starts the real program many times without paying for its imports each time: everything is imported once, then forked.

Run as a script. Reads one JSON object a line: `argv`, `cwd`, `environ` (the whole of its environment), `log` (file for its
output), and optionally `out` (file for its standard output alone) and `kill_after`: the process kills itself with SIGKILL
right after the transaction that holds the journal entry of that number is durable.
Answers each with the child's pid; `{"wait": pid}` with its exit status (negative: the signal's number).
Its children end with it.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_everything() -> None:
    """All of the runner, and what it imports only when it needs it."""
    import runner

    for name in ("alembic.command", "boto3", "jsonschema_rs", "mako.template", "sqlalchemy.dialects.sqlite", "uvicorn"):
        importlib.import_module(name)
    for each in pkgutil.walk_packages(runner.__path__, "runner."):
        if each.name.rpartition(".")[2] not in ("__main__", "start"):  # those are programs
            importlib.import_module(each.name)
    gc.collect()
    gc.freeze()  # a child that looked through all this for garbage would have to copy it


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
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) if order.get("out") else log
    for source, descriptor in ((null, 0), (out, 1), (log, 2)):
        os.dup2(source, descriptor)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
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
    running: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            running.discard(order["wait"])
            print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            try:
                child(order)
            finally:
                os._exit(99)
        running.add(pid)
        print(json.dumps({"pid": pid}), flush=True)
    for pid in running:  # the tests have ended, however they did
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
