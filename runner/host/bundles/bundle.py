"""DownloadBundle: makes room, brings the bundle into the deployment's folder, unpacks it. Safe to do again after a crash.

A bundle on this machine is unpacked as it is. Of one on another machine only those contents travel that no revision
kept here has.
"""

from __future__ import annotations

import errno
import os

from runner.host.bundles import revisions
from runner.host.bundles.revisions import remove
from runner.host.files.copying import copy_content
from runner.host.layout import write_whole
from runner.host.lean.digest import sha256
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runner.host.bundles.exchange import Exchange
    from runner.host.layout import Layout
    from runner.host.request import BundleFile, Request

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def download(request: Request, layout: Layout, exchange: Exchange) -> str:
    """Fetch and unpack the bundle of *request*; *exchange* brings what is not on this machine.

    Raises `Failure` when it is not the bundle it should be, or unsound, or too large for the disk; `HungUp` when the
    control side is gone: what has arrived is kept for the next attempt.
    """
    revisions.keep_at_most(layout, request.limits.max_revisions)
    fresh = layout.archive + ".new"
    try:
        size = bring(request, layout, fresh, exchange)
    except Failure:
        _clear(layout, fresh)
        raise
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        needed = _room_needed(request, layout)
        _clear(layout, fresh)
        raise _no_room(error, needed, layout) from error
    _finish(layout, fresh, size)
    return ""


def bring(request: Request, layout: Layout, fresh: str, exchange: Exchange) -> int:
    """Make the tree *fresh*. Returns the bytes of disk that it takes."""
    if request.bundle.path:
        _fetch(request.bundle, layout.bundle)
        return _unpack(request, layout, fresh)
    from runner.host.bundles.content import piece_together

    return piece_together(layout, fresh, request.limits.max_bytes, exchange)


def _finish(layout: Layout, fresh: str, size: int) -> None:
    content = content_of(fresh)
    os.rename(content, layout.archive)
    revisions.describe(layout.deployment, size, os.path.relpath(content, fresh) if content != fresh else "")
    remove(fresh)
    remove(layout.incoming)
    write_whole(layout.most_recent, layout.deployment)


def _fetch(bundle: BundleFile, destination: str) -> None:
    """Hard-link the bundle, or copy it where that is not possible, and check that it is the right one."""
    part = destination + ".new"
    remove(part)
    try:
        os.link(bundle.path, part)
    except FileNotFoundError as error:
        raise Failure("The bundle {} is gone from the cache of the control side.".format(bundle.path)) from error
    except OSError:
        copy_content(bundle.path, part)
    check(part, bundle.sha256, bundle.path)
    os.replace(part, destination)


def check(path: str, sha256: str, name: str) -> None:
    """Raises `Failure` when the content of *path* is not that of the bundle *name*."""
    actual = _sha256(path)
    if actual != sha256:
        raise Failure(
            "Expected deployment artifact bundle sha256 {} but was actually {}; it was damaged on its way or in the "
            "cache, {}.".format(sha256, actual, name)
        )


def _unpack(request: Request, layout: Layout, fresh: str) -> int:
    from runner.host.bundles.unpack import unpack  # only here, for reading archives takes long to load

    if request.limits.max_bytes is not None:
        revisions.keep_room(layout, _room_needed(request, layout) or 0, request.limits.max_bytes)
    remove(fresh)
    remove(layout.archive)
    os.mkdir(fresh)
    size = unpack(layout.bundle, request.bundle.type, fresh)
    if os.stat(layout.bundle).st_nlink == 1:
        # A link to the archive in the cache costs nothing, and the official agent has the file too. A copy that nobody
        # will read again would cost every revision as much as the archive.
        os.unlink(layout.bundle)
    return size


def _sha256(path: str) -> str:
    digest = sha256(os.path.getsize(path))
    with open(path, "rb", buffering=0) as file:
        for piece in iter(lambda: file.read(1 << 18), b""):
            digest.update(piece)
    return digest.hexdigest()


def content_of(folder: str) -> str:
    """*folder*, or its one entry if that is a folder with an AppSpec: archives of a repository come wrapped like that."""
    entries = os.listdir(folder)
    if len(entries) != 1:
        return folder
    inner = os.path.join(folder, entries[0])
    if os.path.islink(inner) or not os.path.isdir(inner):
        return folder
    return inner if any("appspec" in name.lower() for name in os.listdir(inner)) else folder


def _clear(layout: Layout, fresh: str) -> None:
    """This attempt is over, and nobody will take up its pieces."""
    for path in (fresh, layout.incoming, layout.bundle + ".new"):
        remove(path)


def _room_needed(request: Request, layout: Layout) -> int | None:
    """Bytes of disk that the bundle needs when it is unpacked, about; None when that cannot be told."""
    try:
        if request.bundle.path:
            from runner.host.bundles.archives import unpacked_size

            return unpacked_size(request.bundle.path, request.bundle.type)
        from runner.host.bundles.content import listing_of
        from runner.host.bundles.listing import contents_of

        return contents_of(listing_of(layout)).room
    except Exception:  # noqa: BLE001  that it is unsound, or whatever it is, is said when it is unpacked
        return None


def _no_room(error: OSError, needed: int | None, layout: Layout) -> Failure:
    room = os.statvfs(layout.deployment)
    needs = "" if needed is None else " The bundle needs {} when it is unpacked;".format(_mib(needed))
    return Failure(
        "{}: {}.{} {} are free there now. Free some, or keep fewer revisions, and deploy again.".format(
            error.strerror, layout.archive, needs, _mib(room.f_bavail * room.f_frsize)
        )
    )


def _mib(size: int) -> str:
    return "{:.1f} MiB".format(size / (1 << 20))
