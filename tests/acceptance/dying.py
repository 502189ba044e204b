"""Runs `penstock`, and dies by SIGKILL at a transaction: `before` it is committed, or `after` it is durable.

Run as a script: WHEN NUMBER DELIVERY ARGV... Counted from 1 are the transactions from the one on that stores DELIVERY.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from runner.cli.main import main
from runner.store.database import Database


def die(when: str, number: int, delivery: str) -> None:
    """Make this process kill itself there."""
    counted = [0]

    def dying(write: Callable[[Database], AbstractContextManager[Any]]) -> Callable[[Database], Any]:
        @contextmanager
        def watched(self: Database) -> Iterator[Any]:
            with write(self) as tx:
                yield tx
                if counted[0] or _holds(tx, delivery):
                    counted[0] += 1
                mine = counted[0]
                if mine == number and when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
            if mine == number:
                os.kill(os.getpid(), signal.SIGKILL)

        return watched

    Database.write = dying(Database.write)  # type: ignore[method-assign]
    Database.write_plainly = dying(Database.write_plainly)  # type: ignore[method-assign]


def _holds(tx: sa.Connection | sqlite3.Connection, delivery: str) -> bool:
    query = tx.execute if isinstance(tx, sqlite3.Connection) else tx.exec_driver_sql
    return query("SELECT 1 FROM deliveries WHERE delivery = ?", (delivery,)).fetchone() is not None


if __name__ == "__main__":
    die(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.exit(main(sys.argv[4:]))
