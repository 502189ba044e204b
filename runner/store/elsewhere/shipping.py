"""The barrier: what was committed to the copy counts once its piece of the write-ahead log is written elsewhere.

Whoever writes waits for that, and so does whoever has read what another thread has just committed. So nothing is done
in the world that the next process would not know of.
"""

import os
import sqlite3
import struct
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from runner.errors import WorldError
from runner.store.elsewhere.copy import DATABASE
from runner.store.elsewhere.files import Files
from runner.store.elsewhere.log import Overtaken, StateLog

_HEADER, _FRAME = 32, 24  # bytes: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
_UNDER_WAY = "SELECT id FROM deployments WHERE status NOT IN ('Succeeded', 'Failed', 'Stopped') ORDER BY number"


class Shipping:
    """For one `Database`. Its write-ahead log must begin here, and never be checkpointed: `settings` sees to that."""

    settings = ("wal_autocheckpoint=0",)  # pragmas of every connection

    def __init__(self, folder: Path, log: StateLog, files: Files, address: str) -> None:
        self._database, self._log, self._files, self._address = folder / DATABASE, log, files, address
        self._wal = folder / f"{DATABASE}-wal"
        self._turn, self._news = threading.Lock(), threading.Condition()
        self._begun = self._collected = self._durable = 0  # commits
        self._parts: list[bytes] = []  # what is committed and not written elsewhere
        self._start = self._end = 0  # of the parts, in the write-ahead log
        self._salts = b""
        self._lost: WorldError | None = None
        self._open: sqlite3.Connection | None = None

    def opened(self) -> None:
        """The database is open. The last connection that is closed would checkpoint: from now on that is ours."""
        self._open = sqlite3.connect(self._database, check_same_thread=False)
        self._open.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def close(self) -> None:
        """After the database: its write-ahead log goes into the file then."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def is_lost(self) -> bool:
        return self._lost is not None

    def lost(self, why: str) -> None:
        """The state is out of reach. Whatever asks from now on is told so, and this process ends."""
        under_way = self._under_way()
        what = f"Under way: {under_way}. Run the same command again" if under_way else "Run the same command again"
        self._end_with(
            f"{why}. This process ends before it does anything more; what hosts were told to do goes on there. {what}: it "
            "takes up what is under way"
        )

    def taken(self, holder: str) -> None:
        """The state is another's by now."""
        under_way = self._under_way()
        what = f"what is under way ({under_way})" if under_way else "what is under way"
        self._end_with(
            f"{holder} has taken over the state {self._address}, as this process was not heard of, and carries on with "
            f"{what}. This process ends without doing anything more"
        )

    def check(self) -> None:
        """Raises `WorldError` when nothing may be done any more."""
        if self._lost is not None:
            raise WorldError(self._lost.message, retryable=False) from self._lost

    def committing(self) -> None:
        """A commit comes next. To be called by whoever holds the database's lock, as `committed`."""
        self._begun += 1

    def committed(self) -> int:
        """It is done, or undone. Returns what to wait for once the lock is free."""
        grown = self._grown()
        with self._news:
            if grown:
                self._parts.append(grown)
            self._collected = self._begun
            self._news.notify_all()
            return self._collected

    def wait_for_all(self) -> None:
        """Whatever can have been read by now is written elsewhere when this returns."""
        self.wait(self._begun)

    def wait(self, commit: int) -> None:
        """Return when *commit* is written elsewhere, by us or by another thread. Raises `WorldError`: it never is."""
        self.check()
        if self._durable >= commit:
            return
        with self._news:
            self._news.wait_for(lambda: self._collected >= commit)
        with self._turn:
            self.check()
            if self._durable < commit:
                self._or_lost(self._ship)

    def finish(self) -> None:
        """Write what is left, changes of files too. Threads that come late are refused from then on."""
        with self._turn:
            self.check()
            self._or_lost(self._ship)
            self._end_with(f"this process has done with the state {self._address}")

    def _ship(self) -> None:
        """Everything that is committed goes as one piece."""
        with self._news:
            parts, self._parts, upto = b"".join(self._parts), [], self._collected
            start, self._start = self._start, self._start + len(parts)
        files = self._files.changes()
        if parts or files:
            self._files.put_bundles(files)
            self._log.append("log", parts, start, files)
            self._files.told(files)
        self._durable = upto

    def _or_lost(self, put: Callable[[], None]) -> None:
        """Whatever goes wrong: what is written elsewhere is not known then, and nothing must follow it."""
        try:
            put()
        except Overtaken as error:
            self.taken(error.holder)
            self.check()
        except WorldError as error:
            self.lost(error.message)
            self.check()
        except OSError as error:
            self.lost(f"the copy of the state {self._address} cannot be read: {error}")
            self.check()
        except BaseException:
            self.lost(f"the state {self._address} was being written when this process was interrupted")
            raise

    def _grown(self) -> bytes:
        """What the write-ahead log holds more, up to its last commit. What was undone may stand behind that."""
        try:
            with self._wal.open("rb") as wal:
                size = os.fstat(wal.fileno()).st_size
                if size <= self._end:
                    return b""
                header = os.pread(wal.fileno(), _HEADER, 0)
                data = os.pread(wal.fileno(), size - self._end, self._end)
        except FileNotFoundError:
            return b""
        if self._end and header[16:24] != self._salts:
            self.lost(f"this is a bug in Penstock: the write-ahead log of {self._database} was begun anew")
            self.check()
        self._salts = header[16:24]
        length = _whole(header, data, _HEADER if self._end == 0 else 0)
        self._end += length
        return data[:length]

    def _end_with(self, message: str) -> None:
        if self._lost is None:
            self._lost = WorldError(message, retryable=False)

    def _under_way(self) -> str:
        """The deployments, as this process knows them."""
        try:
            with closing(sqlite3.connect(self._database)) as database:
                return ", ".join(row[0] for row in database.execute(_UNDER_WAY))
        except sqlite3.Error:
            return ""


def _whole(header: bytes, data: bytes, start: int) -> int:
    """How many bytes of *data* lead up to the end of the last frame that is a commit. *start*: where its first frame is."""
    (page,) = struct.unpack(">I", header[8:12])
    last, at = 0, start
    while at + _FRAME + page <= len(data):
        (pages,) = struct.unpack(">I", data[at + 4 : at + 8])
        at += _FRAME + page
        if pages:  # how many the database has then; 0 in frames inside of a transaction
            last = at
    return last
