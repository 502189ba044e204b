"""Runs `penstock`, and dies by SIGKILL at a transaction: `before` it is committed, or `after` it is durable.

Run as a script: WHEN NUMBER DELIVERY ARGV... Counted from 1 are the transactions from the one on that stores DELIVERY.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runner.cli.main import main
from runner.store.database import Database


def die(when: str, number: int, delivery: str) -> None:
    """Make this process kill itself there."""
    write, counted = Database.write, [0]

    @contextmanager
    def watched(self: Database) -> Iterator[Any]:
        with write(self) as tx:
            yield tx
            if counted[0] or tx.exec_driver_sql("SELECT 1 FROM deliveries WHERE delivery = ?", (delivery,)).first():
                counted[0] += 1
            mine = counted[0]
            if mine == number and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if mine == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.write = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    die(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.exit(main(sys.argv[4:]))
