"""One state that is in no folder, as a process has it: taken and held to the end, or read once."""

import os
import socket
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from runner.errors import WorldError
from runner.log import get_logger
from runner.ports.state_objects import StateObjects
from runner.store.elsewhere.copy import content, empty, rebuild
from runner.store.elsewhere.files import Files
from runner.store.elsewhere.folder import CopyFolder
from runner.store.elsewhere.lease import Lease, who_has
from runner.store.elsewhere.log import Restored, StateLog
from runner.store.elsewhere.shipping import Shipping


class StateElsewhere:
    """*folder*: where the copy is, once `hold` or `look` has been called."""

    def __init__(self, objects: StateObjects, environ: Mapping[str, str]) -> None:
        self._objects = objects
        self._copy = CopyFolder(_parent(environ))
        self.folder, self.address = self._copy.path, objects.address
        self._name = _name(environ)
        self._log, self._files = StateLog(objects, self._name), Files(self.folder, objects)
        self._lease: Lease | None = None
        self._shipping: Shipping | None = None
        self._is_there = False

    def hold(self) -> Shipping:
        """Take it over, and have it until `close`. Raises `StateFolderBusy`, `WorldError`. Calling it again is harmless."""
        if self._shipping is not None:
            return self._shipping
        assert not self._is_there, "a copy that was only read may be an old one"
        lease = Lease(self._objects, self._name, self._taken)
        lease.take()
        try:
            found = self._log.begin(empty())
            self._rebuild(found)
            self._shipping = Shipping(self.folder, self._log, self._files, self.address)
            self._shorten()
        except BaseException:
            self._shipping = None
            lease.release()
            raise
        self._lease = lease
        return self._shipping

    def look(self) -> Shipping | None:
        """Have a copy of it as it is now. What is written into that, if it is not held, goes nowhere."""
        if not self._is_there:
            self._rebuild(self._log.read())
        return self._shipping

    def holder(self) -> str | None:
        """Who has it. Raises `WorldError`."""
        return who_has(self._objects)

    def bring_bundle(self, archive: Path) -> bool:
        """As `Bundles` wants it."""
        return self._files.bring_bundle(archive)

    def close(self) -> None:
        """Call it when the database is closed. What was not held, or is lost, is left as it is."""
        try:
            if self._shipping is not None and self._lease is not None:
                self._let_go(self._shipping, self._lease)
        except (WorldError, sqlite3.Error, OSError) as error:  # the next process finds all of it all the same
            get_logger().warning("state left without a good-bye", error=str(error))
        finally:
            self._objects.close()
            self._copy.remove()

    def _let_go(self, shipping: Shipping, lease: Lease) -> None:
        if shipping.is_lost:
            shipping.close()
            lease.leave()
            return
        shipping.finish()
        shipping.close()
        self._shorten()
        self._log.append("end", b"", 0, {})
        lease.release()

    def _rebuild(self, found: Restored) -> None:
        base = found.base.content if found.base else empty()
        try:
            rebuild(self.folder, base, found.pieces)
            for piece in (*([found.base] if found.base else ()), *found.pieces):
                self._files.restore(piece.files)
        except (OSError, sqlite3.Error) as error:
            raise WorldError(f"no copy of the state {self.address} can be made in {self.folder}: {error}") from error
        self._is_there = True

    def _shorten(self) -> None:
        """A new base where the log has become long. It may wait: nobody needs it but whoever restores."""
        if not self._log.is_long:
            return
        try:
            self._log.compact(content(self.folder), self._files.all())
            given_up = self._files.given_up_bundles()
            if self._log.is_ours():  # by now: so they are none that another process has put there
                self._objects.remove(given_up)
        except WorldError as error:
            get_logger().warning("log of the state not shortened", state=self.address, error=error.message)

    def _taken(self, holder: str) -> None:
        if self._shipping is not None:
            self._shipping.taken(holder)


def _name(environ: Mapping[str, str]) -> str:
    """Who this is, for people: a run of GitHub Actions says more than a number."""
    run, repository = environ.get("GITHUB_RUN_ID"), environ.get("GITHUB_REPOSITORY")
    if run and repository:
        return f"run {run} of {repository}"
    return f"process {os.getpid()} on {socket.gethostname()}"


def _parent(environ: Mapping[str, str]) -> Path | None:
    """Where a runner of GitHub Actions removes what a job leaves; else the system's folder for such things."""
    named = environ.get("RUNNER_TEMP")
    return Path(named) if named and Path(named).is_dir() else None
