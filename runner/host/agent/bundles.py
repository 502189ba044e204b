"""Bundles on their way through this host: fetched once, piece by piece to disk, and gone when they are unpacked."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import time
from contextlib import contextmanager

from runner.host.agent.backoff import Backoff
from runner.host.agent.connection import describe
from runner.host.agent.errors import Rejected, Unreachable
from runner.host.agent.journald import WARNING, log
from runner.host.outcome import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runner.host.agent.current import Current

_PIECE = 1 << 18
_NO_PROGRESS = 600.0  # seconds without a new byte before a bundle is given up
_OLDEST = 24 * 3600.0  # seconds that half a bundle may wait for its command
_HEX = frozenset("0123456789abcdef")


class Bundles:
    """A folder with what is on its way. *current*: where it comes from. Any thread may use it."""

    def __init__(self, folder: str, current: Current) -> None:
        self._folder, self._current = folder, current
        self._guard = threading.Lock()
        self._users: dict[str, int] = {}
        self._turns: dict[str, threading.Lock] = {}
        os.makedirs(folder, 0o700, exist_ok=True)

    def tidy(self) -> None:
        """Remove what nobody will take up any more."""
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            if time.time() - os.stat(path).st_mtime > _OLDEST:
                os.unlink(path)

    @contextmanager
    def fetched(self, bundle: dict[str, Any]) -> Iterator[str]:
        """The path of *bundle* (Bucket, Key, Version, sha256, size) on this host, until the end of the context.

        Raises `Failure` when it cannot be had.
        """
        digest, size = _checked(bundle)
        path = os.path.join(self._folder, digest)
        with self._guard:
            self._users[digest] = self._users.get(digest, 0) + 1
            turn = self._turns.setdefault(digest, threading.Lock())
        try:
            with turn:
                if not os.path.exists(path):
                    self._fetch(bundle, path, digest, size)
            yield path
        finally:
            with self._guard:
                self._users[digest] -= 1
                if not self._users[digest]:
                    del self._users[digest], self._turns[digest]
                    _remove(path)
                    _remove(path + ".part")

    def _fetch(self, bundle: dict[str, Any], path: str, digest: str, size: int) -> None:
        download = _Download(path + ".part", size)
        backoff, said = Backoff(first=0.2, most=30.0), ""
        had, since, damaged = -1, time.monotonic(), 0
        while True:
            try:
                if download.go_on(bundle, self._current) == digest:
                    os.replace(path + ".part", path)
                    return
                _remove(path + ".part")
                damaged += 1
                trouble = "what came is not the bundle: its SHA-256 is another"
            except Unreachable as error:
                trouble = str(error)
            except Rejected as error:
                if not error.is_about_us:
                    raise Failure("The bundle cannot be fetched from the server: {}".format(error)) from error
                trouble = str(error)
            except OSError as error:
                raise Failure("The bundle cannot be kept in {}: {}".format(self._folder, describe(error))) from error
            if download.has > had:
                had, since = download.has, time.monotonic()
                backoff.reset()
            if damaged > 1 or time.monotonic() - since > _NO_PROGRESS:
                raise Failure("The bundle cannot be fetched from the server: {}".format(trouble))
            if trouble != said:
                log(WARNING, "bundle {}: {}; trying again".format(digest[:12], trouble))
                said = trouble
            self._current.pause(backoff.next())


class _Download:
    """The file *part*, which is to have *size* bytes. *has*: how many it had the last time."""

    def __init__(self, part: str, size: int) -> None:
        self._part, self._size = part, size
        self.has = 0

    def go_on(self, bundle: dict[str, Any], current: Current) -> str:
        """Fetch what is missing. Returns the SHA-256 of it all. Raises `Unreachable`, `Rejected`, `OSError`."""
        with open(self._part, "ab+", buffering=0) as file:
            digest = self._known(file)
            if self.has < self._size:
                connection, response = current.service().open_bundle(bundle, self.has)
                try:
                    if response.status == 200 and self.has:  # it does not know ranges
                        file.truncate(0)
                        self.has, digest = 0, hashlib.sha256()
                    self._take(response, file, digest)
                finally:
                    connection.close()
        return str(digest.hexdigest())

    def _known(self, file: Any) -> Any:
        """The hash of what is there. More than there should be is thrown away."""
        digest = hashlib.sha256()
        if os.fstat(file.fileno()).st_size > self._size:
            file.truncate(0)
        file.seek(0)
        self.has = 0
        for piece in iter(lambda: file.read(_PIECE), b""):
            digest.update(piece)
            self.has += len(piece)
        return digest

    def _take(self, response: http.client.HTTPResponse, file: Any, digest: Any) -> None:
        while self.has < self._size:
            try:
                piece = response.read1(min(_PIECE, self._size - self.has))  # not until it is full
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable("the bundle broke off: {}".format(describe(error))) from error
            if not piece:
                raise Unreachable("the bundle broke off after {} of {} bytes".format(self.has, self._size))
            digest.update(piece)
            self.has += len(piece)
            left = memoryview(piece)
            while left:
                left = left[file.write(left) :]


def _checked(bundle: dict[str, Any]) -> tuple[str, int]:
    """SHA-256 and size of *bundle*. Raises `Failure` for what cannot be one."""
    digest, size = bundle.get("sha256"), bundle.get("size")
    names = [bundle.get(name) for name in ("Bucket", "Key")]
    sound = isinstance(digest, str) and len(digest) == 64 and _HEX.issuperset(digest)
    if not sound or not isinstance(size, int) or size < 0 or not all(isinstance(name, str) and name for name in names):
        raise Failure("The specification does not say where the bundle is, what size it has and what its SHA-256 is.")
    return str(digest), size


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
