"""Puts the executor in place on a host. It is sent as text, and run before anything of ours stands there.

It must also answer an interpreter that is too old for the rest: so types stand in comments, and there is no new syntax.
What only trouble needs is imported only then: every first rollout to a host waits for this.
"""

import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO  # noqa: F401  in a type comment

OLDEST = (3, 8)
KEPT = 2  # versions beside each other: one may still be carrying out an event


def arrive(stream, folder, name, files):
    # type: (IO[bytes], str, str, list[tuple[str, int]]) -> None
    """Put *files* in *folder*/var/lib/penstock/executor/*name*, and say how that went.

    Their contents, of so many bytes each, follow on *stream*.
    """
    told = '"arrived"'
    try:
        if sys.version_info[:2] < OLDEST:
            told = '{"too_old": "%d.%d.%d"}' % sys.version_info[:3]
        else:
            _put([(file, stream.read(size)) for file, size in files], folder, name)
    except (OSError, ValueError) as error:
        import json

        told = json.dumps({"failed": str(error)})
    os.write(1, ('\n{"penstock": %s}\n' % told).encode())


def _put(files, folder, name):
    # type: (list[tuple[str, bytes]], str, str) -> None
    os.umask(0o022)
    if not os.path.isdir(folder):
        os.mkdir(folder)  # not its parents: a whole path that is missing is more likely a mistake
    place = os.path.join(folder, "var/lib/penstock/executor")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.makedirs(place, 0o700, exist_ok=True)
    lock = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several connections may be the first at once
        if not _stand(files, os.path.join(place, name)):
            _write(files, place, name)
        _tidy(place, name)
    finally:
        os.close(lock)


def _stand(files, final):
    # type: (list[tuple[str, bytes]], str) -> bool
    """Whether all *files* are at *final* already."""
    try:
        for file, content in files:
            with open(os.path.join(final, file), "rb") as opened:
                if opened.read() != content:
                    return False
    except OSError:
        return False
    return True


def _write(files, place, name):
    # type: (list[tuple[str, bytes]], str, str) -> None
    """Put *files* at *name* in one step; what stands there is not sound."""
    made = os.path.join(place, "new-%d" % os.getpid())
    final = os.path.join(place, name)
    try:
        os.mkdir(made, 0o700)
        for file, content in files:
            with open(os.path.join(made, file), "wb") as opened:
                opened.write(content)
        if os.path.lexists(final):
            os.rename(final, made + "-before")
        os.rename(made, final)
    except OSError:
        _remove(made)
        raise


def _tidy(place, name):
    # type: (str, str) -> None
    """Remove all but the newest versions, and what those left behind who died in the middle."""
    found = os.listdir(place)
    unfinished = [entry for entry in found if entry.startswith("new-")]
    others = set(found) - set(unfinished) - {name}
    newest_first = sorted(others, key=lambda entry: -os.stat(os.path.join(place, entry)).st_mtime)
    for entry in newest_first[KEPT - 1 :] + unfinished:
        _remove(os.path.join(place, entry))


def _remove(path):
    # type: (str) -> None
    import shutil

    shutil.rmtree(path, ignore_errors=True)
