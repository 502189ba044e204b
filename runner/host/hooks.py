"""Runs the scripts of one lifecycle event, in order, up to the first that fails.

Each script gets a *keeper*: a fork of the session that waits for it, logs what it prints and records how it ended. So
the death of the session loses nothing: the keeper holds the group's lock until the script's end is in the journal.
"""

from __future__ import annotations

import os

from runner.host import keeper, orphans
from runner.host.environment import environment_for
from runner.host.feed import Feed
from runner.host.journal import Entry, Journal
from runner.host.layout import Layout
from runner.host.logs import ScriptsLog
from runner.host.outcome import SUCCESS, Failure
from runner.host.request import Request
from runner.host.revision import Scripts, scripts_for

_MOST_STARTS = 5  # of one script, when something keeps killing its keeper


def run(request: Request, layout: Layout, journal: Journal, feed: Feed) -> str:
    """Run what the event's scripts have not yet done. Raises `Failure` for the first that fails."""
    found = scripts_for(request, layout)
    for number in range(len(found.scripts)):
        ended = journal.script_end(number) or _run_one(number, found, request, layout, journal, feed)
        if ended["code"] != SUCCESS:
            raise Failure(ended["message"], ended["code"], found.scripts[number].location)
    if not found.scripts:
        return ""
    return "Ran the scripts of {}.".format(found.deployment) if found.deployment != request.deployment else ""


def _run_one(number: int, found: Scripts, request: Request, layout: Layout, journal: Journal, feed: Feed) -> Entry:
    """Run script *number* until its end is recorded: again from its start, if its keeper was killed."""
    script = found.scripts[number]
    for _ in range(len(journal.script_starts(number)), _MOST_STARTS):
        _end_orphans(number, request, journal)
        job = keeper.Job(
            number=number,
            is_last=number + 1 == len(found.scripts),
            script=script,
            path=os.path.join(found.archive, script.location.lstrip("/")),
            environment=environment_for(request, layout),
        )
        _keep(job, request, layout, journal, feed)
        ended = journal.script_end(number)
        if ended:
            return ended
    _end_orphans(number, request, journal)
    raise Failure(
        "The executor of script {} was killed {} times; it is not run again.".format(script.location, _MOST_STARTS),
        script=script.location,
    )


def _end_orphans(number: int, request: Request, journal: Journal) -> None:
    """End what the last keeper of script *number* left running when it was killed."""
    for start in journal.script_starts(number)[-1:]:
        orphans.end(start["pid"], start["ticks"], request.limits.term_grace)


def _keep(job: keeper.Job, request: Request, layout: Layout, journal: Journal, feed: Feed) -> None:
    """Fork a keeper for *job*, stream the log while it works, and wait for it. Raises `Failure` if it could not work."""
    news, tell = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(news)
            feed.wire.close()  # it is the session's death that the control side has to see
            os.set_blocking(tell, False)
            log = ScriptsLog(layout, request.deployment)
            keeper.keep(job, request, layout.folder, journal, log, tell)
            status = 0
        finally:
            os._exit(status)
    os.close(tell)
    feed.follow(news)
    os.close(news)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise Failure("The executor of script {} broke down.".format(job.script.location), script=job.script.location)
