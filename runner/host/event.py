"""Runs one lifecycle event, or takes it up where a dead executor left it, and records how it ended."""

from __future__ import annotations

import traceback
from typing import Any

from runner.host import bundle, hooks, install, outcome
from runner.host.feed import Feed
from runner.host.journal import Journal
from runner.host.layout import Layout
from runner.host.logs import rotate, size_of, tail
from runner.host.outcome import Failure
from runner.host.request import Request


def run(request: Request, layout: Layout, journal: Journal, feed: Feed) -> dict[str, Any]:
    """Run the event of *request*; the caller holds the group's lock. Returns the outcome, which is then in the journal."""
    began = journal.began()
    if began is None:
        rotate(layout.deployments_log)
        journal.add("began", at=outcome.now(), log=size_of(layout.scripts_log))
        began = journal.began() or {"at": outcome.now(), "log": 0}
    feed.begins_at(began["log"])
    try:
        ended = outcome.succeeded(_perform(request, layout, journal, feed), began["at"])
    except Exception as error:  # noqa: BLE001  every error is an outcome of this target, and must be recorded
        ended = outcome.failed(_as_failure(error), tail_for(error, layout, began["log"]), began["at"])
    journal.add("ended", durable=True, outcome=ended)
    return ended


def tail_for(error: Exception, layout: Layout, start: int) -> str:
    """What the scripts printed last, when it was a script that failed."""
    return tail(layout.scripts_log, start) if isinstance(error, Failure) and error.script else ""


def _perform(request: Request, layout: Layout, journal: Journal, feed: Feed) -> str:
    """Do what the event is for. Returns a note for its outcome."""
    if request.event == "DownloadBundle":
        return bundle.download(request, layout)
    if request.event == "Install":
        return install.install(request, layout)
    return hooks.run(request, layout, journal, feed)


def _as_failure(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, OSError):
        return Failure(str(error))
    return Failure("Penstock failed on this host; please report this.\n" + "".join(traceback.format_exc(limit=-6)))
