"""Puts the executor in place on a host. It is sent as text, and run before anything of ours stands there.

It must also answer an interpreter that is too old for the rest: so types stand in comments, and there is no new syntax.
"""

import io
import json
import os
import shutil
import sys
import time

OLDEST = (3, 8)
KEPT = 2  # versions beside each other: one may still be carrying out an event
_ABANDONED = 3600.0  # seconds after which what is half unpacked belongs to nobody


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
    import compileall
    import tempfile
    import zipfile

    os.umask(0o022)
    if not os.path.isdir(folder):
        os.mkdir(folder)  # not its parents: a whole path that is missing is more likely a mistake
    place = os.path.join(folder, "var/lib/penstock/executor")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.makedirs(place, 0o700, exist_ok=True)
    made = tempfile.mkdtemp(prefix="new-", dir=place)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(made)
        compileall.compile_dir(made, quiet=2)  # what another Python cannot use, that one compiles for itself
        _exchange(made, os.path.join(place, name))
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _tidy(place, name)


def _exchange(made, final):
    # type: (str, str) -> None
    """Put *made* in the place of *final*: what stood there did not start, or is another's that arrived just now."""
    before = made + "-before"
    try:
        os.rename(made, final)
    except OSError:
        os.rename(final, before)
        os.rename(made, final)
        shutil.rmtree(before, ignore_errors=True)


def _tidy(place, name):
    # type: (str, str) -> None
    """Remove all but the newest versions, and what those left behind who died in the middle."""
    times = {}
    for entry in os.listdir(place):
        try:
            times[entry] = os.stat(os.path.join(place, entry)).st_mtime
        except OSError:  # another tidies as well
            continue
    unfinished = [entry for entry in times if entry.startswith("new-")]
    versions = sorted(set(times) - set(unfinished) - {name}, key=lambda entry: -times[entry])
    old = [entry for entry in unfinished if times[entry] < time.time() - _ABANDONED]
    for entry in versions[KEPT - 1 :] + old:
        shutil.rmtree(os.path.join(place, entry), ignore_errors=True)
