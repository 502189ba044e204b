"""Puts the executor in place on a host. It is sent as text, and run before anything of ours stands there.

It must also answer an interpreter that is too old for the rest: so types stand in comments, and there is no new syntax.
"""

import compileall
import fcntl
import io
import json
import os
import shutil
import sys
import tempfile
import zipfile

OLDEST = (3, 8)
KEPT = 2  # versions beside each other: one may still be carrying out an event


def arrive(stream, size, folder, name):
    # type: (io.BufferedReader, int, str, str) -> None
    """Unpack the zip of *size* bytes on *stream* as *folder*/var/lib/penstock/executor/*name*, and say how that went."""
    answer = {"arrived": name}
    try:
        if sys.version_info[:2] < OLDEST:
            answer = {"too_old": "%d.%d.%d" % sys.version_info[:3]}
        else:
            _put(stream.read(size), folder, name)
    except (OSError, ValueError) as error:
        answer = {"failed": str(error)}
    os.write(1, ("\n" + json.dumps({"penstock": answer}) + "\n").encode())


def _put(content, folder, name):
    # type: (bytes, str, str) -> None
    os.umask(0o022)
    if not os.path.isdir(folder):
        os.mkdir(folder)  # not its parents: a whole path that is missing is more likely a mistake
    place = os.path.join(folder, "var/lib/penstock/executor")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.makedirs(place, 0o700, exist_ok=True)
    lock = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several connections may be the first at once
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if not _stands(archive, os.path.join(place, name)):
                _unpack(archive, place, name)
        _tidy(place, name)
    finally:
        os.close(lock)


def _stands(archive, final):
    # type: (zipfile.ZipFile, str) -> bool
    """Whether all of *archive* is at *final* already."""
    try:
        for member in archive.namelist():
            with open(os.path.join(final, member), "rb") as file:
                if file.read() != archive.read(member):
                    return False
    except OSError:
        return False
    return True


def _unpack(archive, place, name):
    # type: (zipfile.ZipFile, str, str) -> None
    """Put *archive* at *name* in one step; what stands there is not sound."""
    made = tempfile.mkdtemp(prefix="new-", dir=place)
    final = os.path.join(place, name)
    try:
        archive.extractall(made)
        compileall.compile_dir(made, quiet=2)  # what another Python cannot use, that one compiles for itself
        if os.path.lexists(final):
            os.rename(final, made + "-before")
            shutil.rmtree(made + "-before", ignore_errors=True)
        os.rename(made, final)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _tidy(place, name):
    # type: (str, str) -> None
    """Remove all but the newest versions, and what those left behind who died in the middle."""
    found = os.listdir(place)
    unfinished = [entry for entry in found if entry.startswith("new-")]
    others = set(found) - set(unfinished) - {name}
    newest_first = sorted(others, key=lambda entry: -os.stat(os.path.join(place, entry)).st_mtime)
    for entry in newest_first[KEPT - 1 :] + unfinished:
        shutil.rmtree(os.path.join(place, entry), ignore_errors=True)
