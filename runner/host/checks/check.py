"""Explains what a deployment would do to this host, and does none of it.

The bundle is brought and unpacked as ever, but into a scratch folder; everything else only looks. No lock is taken: a
check tells how things are at this moment, also while a deployment is under way.
"""

from __future__ import annotations

import fcntl
import os

from runner.host.bundles import bundle
from runner.host.bundles.exchange import Exchange
from runner.host.checks import installing as check_install
from runner.host.checks import scripts as check_scripts
from runner.host.checks.explanation import Explanation
from runner.host.checks.scratch import Scratch
from runner.host.layout import Layout
from runner.host.outcome import Failure
from runner.host.request import Request
from runner.host.wire import HungUp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runner.host.wire import Wire


def answer(wire: Wire, number: int, value: dict[str, Any]) -> None:
    """Answer the check *number*, of a request like that of a lifecycle event.

    Lists come in pieces, `{"id": 1, "explaining": {"copies": [...]}}`, to be joined; `{"id": 1, "explained": {}}` ends
    them. With a member `failure` it says why nothing could be explained.
    """
    end: dict[str, Any] = {}
    try:
        request = Request.from_json(value)
        found = explain(request, Exchange(wire, number, request.limits.patience))
        for piece in found.pieces():
            wire.send({"id": number, "explaining": piece})
    except HungUp:
        wire.gone = True
    except Failure as failure:
        end = {"failure": failure.message}
    except OSError as error:
        end = {"failure": "This host cannot look: {}".format(error)}
    wire.send({"id": number, "explained": end})


def explain(request: Request, exchange: Exchange) -> Explanation:
    """What the deployment of *request* would do. Raises `OSError`, `HungUp`."""
    found = Explanation()
    layout = Layout(request.folder, request.group_id, request.deployment)
    check_install.check_folder(layout, found)
    _note_deployment_under_way(layout, found)
    needs = None
    with Scratch() as folder:
        unpacked = _in_scratch(layout, folder)
        try:
            _bring(request, unpacked, exchange)
        except Failure as failure:
            found.problem("DownloadBundle", failure.message)
        else:
            check_scripts.check(request, layout, unpacked, found)
            needs = check_install.check(request, unpacked, found)
        found.hide(unpacked.archive)
    if needs is not None:
        needs.compare(found)  # now that the scratch folder takes no room any more
    return found


def _in_scratch(layout: Layout, folder: str) -> Layout:
    """As *layout*, but everything that DownloadBundle writes goes to *folder*."""
    other = layout.with_archive(os.path.join(folder, "deployment-archive"))
    other.deployment = folder
    other.bundle = os.path.join(folder, "bundle.tar")
    other.incoming = os.path.join(folder, "incoming")
    if not os.path.isdir(other.state):
        other.state = folder  # where nothing is kept yet, nothing can be taken from it
    return other


def _bring(request: Request, unpacked: Layout, exchange: Exchange) -> None:
    """The bundle of *request*, unpacked where *unpacked* says. No revision is removed to make room for it."""
    fresh = unpacked.archive + ".new"
    bundle.bring(request.replace(limits=request.limits.replace(max_bytes=None)), unpacked, fresh, exchange)
    os.rename(bundle.content_of(fresh), unpacked.archive)


def _note_deployment_under_way(layout: Layout, found: Explanation) -> None:
    try:
        lock = os.open(layout.lock, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        found.note("A deployment of this group is under way on this host; what it does may change all of this.")
    finally:
        os.close(lock)
