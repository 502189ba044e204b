"""Opening the database and speaking to it: transactions, migrations, and errors in words.

SQLite in WAL mode with `synchronous=FULL`: what was committed survives a power cut. One writer at a time; readers never
wait for it.
"""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from runner.errors import RunnerError, WorldError
from runner.store.ownership import what_to_do

if TYPE_CHECKING:
    from runner.store.elsewhere.shipping import Shipping

HEAD = "0007"  # newest migration; a database that is there already costs no import of alembic
_MADE_LATER = ("mirrors", "logs")  # in a state folder, once it has a database


class Database:
    """One SQLite file in the state folder. Safe to use from several threads and processes.

    *carried*: what every writing transaction has among its execution options, for whoever needs to know it there.
    *shipping*: the folder holds a copy, and what is committed counts once it is written elsewhere, too. *called*: what
    people know it by, where that is not the folder.
    """

    def __init__(
        self,
        folder: Path,
        carried: Mapping[str, Any] | None = None,
        shipping: "Shipping | None" = None,
        called: str | None = None,
    ) -> None:
        self.folder, self._shipping = folder, shipping
        self._carried = dict(carried or {})
        self.file = folder / "penstock.db"
        self._lock, self._watch_lock = threading.Lock(), threading.Lock()
        self._writing = threading.local()  # `connection`: of the transaction that this thread is in, if it is in one
        self._watching: sqlite3.Connection | None = None
        self._plain: sqlite3.Connection | None = None
        with self.translated():
            _make_private(folder)
            self._engine = _engine(self.file, shipping.settings if shipping else ())
            self._open(called or str(self.file))

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that holds the write lock from its start, committed at the end.

        Inside another one of the same thread it is part of that one, and undone alone when it raises.
        """
        if (outer := self._outer()) is not None:
            with self.translated(), outer.begin_nested():
                yield outer
            return
        with self._counting(), self.translated(), self._engine.connect() as connection:
            connection = connection.execution_options(write=True, **self._carried)
            with connection.begin():
                self._writing.connection = connection
                try:
                    yield connection
                finally:
                    self._writing.connection = None
                if self._shipping:
                    self._shipping.committing()

    @contextmanager
    def write_plainly(self) -> Iterator[sqlite3.Connection]:
        """As `write`, past SQLAlchemy, which takes longer than a few statements: for what comes hundreds of times a second.

        Not inside another one of the same thread, and no other one inside it.
        """
        with self._counting(), self.translated():
            if self._plain is None:
                self._plain = _detached(self._engine)
            self._plain.execute("BEGIN IMMEDIATE")
            try:
                yield self._plain
                if self._shipping:
                    self._shipping.committing()
                self._plain.execute("COMMIT")
            finally:
                if self._plain.in_transaction:
                    self._plain.execute("ROLLBACK")

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """One that writes at a time; and what it has committed counts when this ends."""
        if self._shipping is None:
            with self._lock:
                yield
            return
        with self._lock:
            self._shipping.check()
            try:
                yield
            finally:
                commit = self._shipping.committed()
        self._shipping.wait(commit)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent snapshot; inside a `write` of the same thread, what that one has made so far."""
        if (outer := self._outer()) is not None:
            with self.translated():
                yield outer
            return
        with self.translated(), self._engine.connect() as connection, connection.begin():
            yield connection
        if self._shipping:
            self._shipping.wait_for_all()

    def version(self) -> int:
        """Changes whenever anybody, here or in another process, has committed."""
        # SQLite counts for each connection from a number of its own: all callers must share one.
        return self.number("PRAGMA data_version")

    def number(self, query: str, *values: Any) -> int:
        """The one number that *query* asks for, in microseconds: for what is asked in the loop."""
        with self._watch_lock:
            try:
                if self._watching is None:
                    self._watching = sqlite3.connect(self.file, check_same_thread=False, timeout=10)
                return int(self._watching.execute(query, values).fetchone()[0])
            except sqlite3.Error as error:
                raise _in_words(self.folder, str(error), error) from error

    def _outer(self) -> sa.Connection | None:
        return getattr(self._writing, "connection", None)

    def close(self) -> None:
        self._engine.dispose()
        if self._plain is not None:
            self._plain.close()
            self._plain = None
        if self._watching is not None:
            self._watching.close()
            self._watching = None

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the database's and the file system's errors into ours."""
        try:
            yield
        except RunnerError:
            raise
        except (exc.DBAPIError, sqlite3.Error) as error:
            raise _in_words(self.folder, str(getattr(error, "orig", error)), error) from error
        except OSError as error:
            raise _in_words(self.folder, error.strerror or str(error), error) from error

    def _open(self, name: str) -> None:
        if self._shipping is None:
            self._migrate(name)
            return
        self._shipping.opened()
        with self._counting():
            self._shipping.committing()
            self._migrate(name)

    def _migrate(self, name: str) -> None:
        # Asked first: another process may be making the database, and then these.
        used = [each for each in _MADE_LATER if (self.folder / each).exists()]
        with self._engine.connect() as connection:
            known = sa.inspect(connection).has_table("alembic_version")
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if known else None
        if version == HEAD:
            return
        if version is None and used and self._shipping is None:
            raise WorldError(
                f"{name} is missing or empty, and the state folder was in use: it has {' and '.join(used)}. Restore the "
                "database from a backup; or empty the folder, and everything is deployed as if for the first time",
                retryable=False,
            )
        if version is not None and version > HEAD:
            raise WorldError(
                f"{name} was written by a newer Penstock (schema {version}, this one knows {HEAD}); "
                "run that version, or another state folder",
                retryable=False,
            )
        from runner.store import migrations

        with self._engine.connect().execution_options(write=True) as connection, _without_foreign_keys(connection):
            migrations.upgrade(connection)


@contextmanager
def _without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """A transaction in which a table can be made again. SQLite takes the setting only outside of one."""
    raw = connection.connection.driver_connection
    assert raw is not None
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.begin():
            yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def _engine(file: Path, settings: Collection[str] = ()) -> sa.Engine:
    """*settings*: pragmas of every connection, beside those of all databases."""
    engine = sa.create_engine(
        f"sqlite:///{file}", connect_args={"timeout": 30, "check_same_thread": False, "isolation_level": None}
    )

    @event.listens_for(engine, "connect")
    def _settings(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", *settings):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _detached(engine: sa.Engine) -> sqlite3.Connection:
    """A connection with all settings, that no pool knows."""
    made = engine.raw_connection()
    plain = made.driver_connection
    assert isinstance(plain, sqlite3.Connection)
    made.detach()
    return plain


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _in_words(folder: Path, said: str, error: Exception) -> RunnerError:
    lower = said.lower()
    if "full" in lower or "no space" in lower:
        return WorldError(f"the disk of the state folder {folder} is full; free some space, nothing recorded is lost")
    if "readonly" in lower or "read-only" in lower or "permission denied" in lower or "unable to open" in lower:
        return WorldError(
            f"the state folder {folder} cannot be written ({said}); {what_to_do(folder)}",
            retryable=False,
        )
    if "locked" in lower:
        return WorldError(f"another process has held the database in {folder} for over 30 s; try again")
    if "malformed" in lower or "not a database" in lower:
        return WorldError(f"{folder / 'penstock.db'} is damaged ({said}); restore it from a backup", retryable=False)
    if isinstance(error, exc.IntegrityError | sqlite3.IntegrityError):
        raise error  # a constraint that code should have kept: our bug, shown as one
    return WorldError(f"the state folder {folder}: {said}")
