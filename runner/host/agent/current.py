"""The settings as they are now: the file is read again when it has changed, so a new key needs no restart."""

from __future__ import annotations

import os
import threading
import time

from runner.host.agent.errors import Mistake
from runner.host.agent.journald import NOTICE, WARNING, log
from runner.host.agent.service import Service
from runner.host.agent.settings import Settings

_LOOK_EVERY = 1.0  # seconds, while somebody waits


class Current:
    """Gives the service of the settings in the file *path*. Any thread may ask. Raises `Mistake` when made."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen = self._look()
        self._service = Service(Settings.read(path))
        self._guard = threading.Lock()

    def service(self) -> Service:
        """Of the newest settings that make sense."""
        if self._has_changed():
            with self._guard:
                self._take_up()
        return self._service

    def pause(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Wait; not longer than until the file changes, or until *stop* is set."""
        stop = stop or threading.Event()
        end = time.monotonic() + seconds
        while not self._has_changed():
            left = end - time.monotonic()
            if left <= 0 or stop.wait(min(left, _LOOK_EVERY)):
                return

    def _has_changed(self) -> bool:
        return self._look() != self._seen

    def _take_up(self) -> None:
        look = self._look()
        if look == self._seen:
            return
        self._seen = look
        try:
            fresh = Service(Settings.read(self._path))
        except Mistake as mistake:
            log(WARNING, "{}; going on with what it was before".format(mistake))
            return
        self._service = fresh
        log(
            NOTICE,
            "{} has changed: this is host {} of {}".format(self._path, fresh.settings.host, fresh.settings.server),
        )

    def _look(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return 0, 0, 0
        return status.st_mtime_ns, status.st_ino, status.st_size
