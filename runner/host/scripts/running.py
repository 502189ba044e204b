"""What of this deployment group may still run although its session is dead: put down in the group's lock.

Whoever comes next with the same event adopts it. Whoever comes with another must not begin while it runs.
"""

from __future__ import annotations

from runner.host.journal import Journal
from runner.host.lean import plain_json
from runner.host.lock import GroupLock
from runner.host.scripts import orphans
from runner.host.scripts.process import Process, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def put_down(lock: GroupLock, journal: Journal, number: int, process: Process, deadline: float) -> None:
    """The script *number* of *journal*'s event begins, below *process*, and may run until *deadline*."""
    who = {"pid": process.pid, "ticks": process.ticks, "boot": process.boot, "deadline": deadline}
    lock.note(plain_json.dumps(dict(who, path=journal.path, number=number, **journal.key)))


def is_in_the_way(lock: GroupLock, journal: Journal, grace: float) -> bool:
    """Whether a script of another event still runs. One that has run for longer than it may is ended."""
    try:
        noted = plain_json.loads(lock.noted() or "{}")
    except ValueError:
        return False
    if not noted or (noted["path"], noted["event"], noted["attempt"]) == (journal.path, *journal.key.values()):
        return False
    process = Process(pid=noted["pid"], ticks=noted["ticks"], boot=noted["boot"])
    if not process.is_alive() or _has_ended(noted):
        return False
    if now() < noted["deadline"]:
        return True
    orphans.end(process, grace)
    return False


def _has_ended(noted: dict[str, Any]) -> bool:
    try:
        journal = Journal(noted["path"], noted["event"], noted["attempt"])
    except OSError:
        return False
    try:
        return journal.script_end(noted["number"]) is not None
    finally:
        journal.close()
