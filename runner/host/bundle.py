"""DownloadBundle: makes room, brings the bundle into the deployment's folder, unpacks it. Safe to do again after a crash."""

from __future__ import annotations

import hashlib
import os
import shutil

from runner.host.copying import copy_content
from runner.host.layout import Layout, read_pointer, write_whole
from runner.host.outcome import Failure
from runner.host.request import BundleFile, Request
from runner.host.unpack import unpack


def download(request: Request, layout: Layout) -> str:
    """Fetch and unpack the bundle of *request*. Raises `Failure` when it is not the bundle it should be, or unsound."""
    _make_room(layout, request.limits.max_revisions)
    _fetch(request.bundle, layout.bundle)
    fresh = layout.archive + ".new"
    for path in (fresh, layout.archive):
        _remove(path)
    os.mkdir(fresh)
    unpack(layout.bundle, request.bundle.type, fresh)
    os.rename(_content_of(fresh), layout.archive)
    _remove(fresh)
    write_whole(layout.most_recent, layout.deployment)
    return ""


def _make_room(layout: Layout, most: int) -> None:
    """Remove the oldest revisions until *most* remain with the new one; never the last that was installed."""
    kept = {layout.deployment, read_pointer(layout.last_successful)}
    with os.scandir(layout.group) as entries:
        others = sorted(
            (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
            for entry in entries
            if entry.path != layout.deployment
        )
    for _, path in others[: max(0, len(others) - (most - 1))]:
        if path not in kept:
            _remove(path)


def _fetch(bundle: BundleFile, destination: str) -> None:
    """Hard-link the bundle, or copy it where that is not possible, and check that it is the right one."""
    part = destination + ".new"
    _remove(part)
    try:
        os.link(bundle.path, part)
    except FileNotFoundError as error:
        raise Failure("The bundle {} is gone from the cache of the control side.".format(bundle.path)) from error
    except OSError:
        copy_content(bundle.path, part)
    actual = _sha256(part)
    if actual != bundle.sha256:
        _remove(part)
        raise Failure(
            "Expected deployment artifact bundle sha256 {} but was actually {}; it was damaged on its way or in the "
            "cache, {}.".format(bundle.sha256, actual, bundle.path)
        )
    os.replace(part, destination)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for piece in iter(lambda: file.read(1 << 18), b""):
            digest.update(piece)
    return digest.hexdigest()


def _content_of(folder: str) -> str:
    """*folder*, or its one entry if that is a folder with an AppSpec: archives of a repository come wrapped like that."""
    entries = os.listdir(folder)
    if len(entries) != 1:
        return folder
    inner = os.path.join(folder, entries[0])
    if os.path.islink(inner) or not os.path.isdir(inner):
        return folder
    return inner if any("appspec" in name.lower() for name in os.listdir(inner)) else folder


def _remove(path: str) -> None:
    """Remove whatever is at *path*; nothing there is fine."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        pass
