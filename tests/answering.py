"""A process that answers one request: `python answering.py FOLDER FINGERPRINT PAUSE`.

It changes something, and stops at PAUSE ("before", "within", "committed" or "never"): says so on standard output, and
waits to be killed.
"""

import datetime as dt
import sys
from pathlib import Path

from runner.ports.identity import Answer
from runner.store.answers import Answers
from runner.store.database import Database
from runner.store.tables import repositories

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def main(folder: str, fingerprint: str, pause: str) -> None:
    database = Database(Path(folder))

    def reached(point: str) -> None:
        if point == pause:
            print(point, flush=True)
            sys.stdin.read()

    def work() -> Answer:
        reached("before")
        with database.write() as tx:
            count = len(tx.execute(repositories.select()).all())
            tx.execute(repositories.insert().values(name=f"made-{count + 1}"))
        reached("within")
        return Answer(200, f'{{"number": {count + 1}}}')

    answer = Answers(database).once(fingerprint, work, lambda error: Answer(400, error.message), T0)
    reached("committed")
    print(answer.body, flush=True)
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
