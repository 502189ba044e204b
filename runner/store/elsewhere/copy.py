"""The copy of the database that a process works on: made from a base and pieces, by SQLite itself."""

import os
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from runner.store.elsewhere.piece import Piece

DATABASE = "penstock.db"


def empty() -> bytes:
    """A database with nothing in it."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        file = Path(folder, DATABASE)
        _settle(file)
        return file.read_bytes()


def rebuild(folder: Path, base: bytes, pieces: Iterable[Piece]) -> None:
    """Make the database in *folder* as it was after the last commit of *pieces*. It has no write-ahead log then."""
    file = folder / DATABASE
    file.write_bytes(base)
    _settle(file)
    wal = file.with_name(f"{DATABASE}-wal")
    for piece in pieces:
        if piece.kind == "begin":
            _settle(file)
        elif piece.content:
            with os.fdopen(os.open(wal, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as log:
                log.seek(piece.offset)
                log.write(piece.content)
    _settle(file)


def content(folder: Path) -> bytes:
    """The database as it is. Nobody may have it open."""
    file = folder / DATABASE
    _settle(file)
    return file.read_bytes()


def _settle(file: Path) -> None:
    """Everything that the write-ahead log holds goes into the file, and the log goes: the next one begins anew.

    The same bytes become the same bytes wherever this is done, and so a log fits on what it was begun on.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")  # a copy: nobody needs it after a power cut
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
