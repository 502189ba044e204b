"""Runs one lifecycle event, or takes it up where a dead executor left it, and records how it ended."""

from __future__ import annotations

from runner.host import outcome
from runner.host.bundles import bundle
from runner.host.bundles.exchange import Exchange
from runner.host.files import install
from runner.host.journal import Journal
from runner.host.layout import Layout
from runner.host.lock import GroupLock
from runner.host.outcome import Failure
from runner.host.request import Request
from runner.host.scripts import hooks
from runner.host.scripts.feed import Feed
from runner.host.scripts.pieces import end_of
from runner.host.scripts.reading import tail
from runner.host.wire import HungUp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(request: Request, layout: Layout, journal: Journal, feed: Feed, lock: GroupLock) -> dict[str, Any]:
    """Run the event of *request* while holding *lock*, the group's. Returns the outcome, which is then in the journal."""
    began = journal.began()
    if began is None:
        journal.add("began", at=outcome.now(), log=end_of(layout.scripts_log))
        began = journal.began() or {"at": outcome.now(), "log": 0}
    feed.begins_at(began["log"])
    try:
        ended = outcome.succeeded(_perform(request, layout, journal, feed, lock), began["at"])
    except HungUp:  # it can go on only with somebody else
        raise
    except Exception as error:  # noqa: BLE001  every error is an outcome of this target, and must be recorded
        ended = outcome.failed(_as_failure(error), tail_for(error, layout, began["log"]), began["at"])
    journal.add("ended", durable=True, outcome=ended)
    return ended


def tail_for(error: Exception, layout: Layout, start: int) -> str:
    """What the scripts printed last, when it was a script that failed."""
    return tail(layout.scripts_log, start) if isinstance(error, Failure) and error.script else ""


def _perform(request: Request, layout: Layout, journal: Journal, feed: Feed, lock: GroupLock) -> str:
    """Do what the event is for. Returns a note for its outcome."""
    if request.event == "DownloadBundle":
        return bundle.download(request, layout, Exchange(feed.wire, feed.number, request.limits.patience))
    if request.event == "Install":
        return install.install(request, layout)
    return hooks.run(request, layout, journal, feed, lock)


def _as_failure(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, OSError):
        return Failure(str(error))
    import traceback

    return Failure("Penstock failed on this host; please report this.\n" + "".join(traceback.format_exc(limit=-6)))
