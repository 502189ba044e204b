"""Contents in PostgreSQL: one table of names. What may be done once is kept by its primary key.

psycopg 3, which is an extra: `pip install 'penstock[postgresql]'`. TLS, certificates and passwords are as libpq has them.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import UserError, WorldError
from runner.ports.state_objects import Found

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

PATIENCE = 30.0  # seconds for which a connection that was there is sought again
_AGAIN = 0.5  # seconds
_CONNECT = 10
_SILENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}

_TABLE = """CREATE TABLE IF NOT EXISTS penstock_state (
    name text COLLATE "C" PRIMARY KEY,
    content bytea NOT NULL,
    tag bigint NOT NULL DEFAULT 1,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""
_CREATE = "INSERT INTO penstock_state (name, content) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING tag::text"
_REPLACE = """UPDATE penstock_state SET content = %s, tag = tag + 1, written_at = clock_timestamp()
WHERE name = %s AND tag::text = %s RETURNING tag::text"""
_FIND = """SELECT content, tag::text, extract(epoch FROM clock_timestamp() - written_at)::float8
FROM penstock_state WHERE name = %s"""
_NAMES = "SELECT name FROM penstock_state WHERE starts_with(name, %s) AND name > %s ORDER BY name"
_REMOVE = "DELETE FROM penstock_state WHERE name = ANY(%s)"

_RACES = ("23505", "42P07", "42710")  # SQLSTATE of CREATE IF NOT EXISTS that another process was quicker with
_READ_ONLY, _NOT_ALLOWED = ("25006",), ("42501",)


class PostgresqlObjects:
    """One connection, made when it is needed, and again when it was lost. The table is made by the first that writes."""

    def __init__(self, url: str) -> None:
        """Raises `UserError`: psycopg is not installed, or it is no URL of libpq's. There may be a password in it."""
        try:
            import psycopg.conninfo
        except ImportError as error:
            raise UserError(
                "state in PostgreSQL needs psycopg, which is not installed here: pip install 'penstock[postgresql]'"
            ) from error
        try:
            told = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise UserError(
                "state in PostgreSQL is named as postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full; what is "
                "named does not read as one. Special characters in a password are written as %40 and so on"
            ) from error
        self._settings: dict[str, Any] = {"connect_timeout": _CONNECT, **_SILENCE, **told}
        self._url, self._address = url, _shown(told)
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._answered = False

    @property
    def address(self) -> str:
        return self._address

    def create(self, name: str, content: bytes) -> str | None:
        return self._one(_CREATE, name, content)

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        return self._one(_REPLACE, content, name, tag)

    def find(self, name: str) -> Found | None:
        rows = self._read(_FIND, name)
        return Found(bytes(rows[0][0]), rows[0][1], max(0.0, rows[0][2])) if rows else None

    def names(self, prefix: str, after: str = "") -> list[str]:
        return [row[0] for row in self._read(_NAMES, prefix, after)]

    def remove(self, names: Iterable[str]) -> None:
        doomed = list(names)
        self._again(lambda connection: connection.execute(_REMOVE, (doomed,)), none_without_table=True)

    def beside(self) -> "PostgresqlObjects":
        return PostgresqlObjects(self._url)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _one(self, query: str, *values: object) -> str | None:
        row = self._again(lambda connection: connection.execute(query, values).fetchone())
        return None if row is None else str(row[0])

    def _read(self, query: str, *values: object) -> list[Any]:
        found = self._again(lambda connection: connection.execute(query, values).fetchall(), none_without_table=True)
        return found or []

    def _again(self, ask: "Callable[[psycopg.Connection[Any]], T]", *, none_without_table: bool = False) -> T | None:
        """What *ask* returns, on a new connection where one is lost. None: the table is not there."""
        import psycopg

        end = time.monotonic() + PATIENCE
        with self._lock:
            while True:
                try:
                    return ask(self._connected())
                except psycopg.errors.UndefinedTable as error:
                    if none_without_table:
                        return None
                    self._make_table(error)
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    self._drop()
                    if not self._answered or time.monotonic() > end:
                        raise self._unreachable(error) from error
                    time.sleep(_AGAIN)
                except psycopg.Error as error:
                    raise self._refused(error) from error

    def _connected(self) -> "psycopg.Connection[Any]":
        import psycopg

        if self._connection is None:
            connection = psycopg.connect(**self._settings, autocommit=True, prepare_threshold=None)
            self._connection = connection
            self._check(connection)
            self._answered = True
        return self._connection

    def _check(self, connection: "psycopg.Connection[Any]") -> None:
        """What returns is to be durable."""
        row = connection.execute("SHOW synchronous_commit").fetchone()
        if row is not None and row[0] == "off":
            self._drop()
            raise WorldError(
                f"{self.address} has synchronous_commit off, so that the state could lose what was written last; turn it on "
                "for this user: ALTER ROLE ... SET synchronous_commit = on",
                retryable=False,
            )

    def _make_table(self, missing: "psycopg.Error") -> None:
        import psycopg

        try:
            self._connected().execute(_TABLE)
        except psycopg.Error as error:
            if error.sqlstate not in _RACES:  # another process makes it at the same time
                raise self._refused(error) from missing

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unreachable(self, error: Exception) -> WorldError:
        said = " ".join(str(error).split())
        return WorldError(f"the state in {self.address} cannot be reached: {said}")

    def _refused(self, error: "psycopg.Error") -> WorldError:
        said = " ".join(str(error.diag.message_primary or error).split())
        if error.sqlstate in _READ_ONLY:
            said += "; name the primary, or add ?target_session_attrs=read-write with all hosts in the URL"
        if error.sqlstate in _NOT_ALLOWED:
            said += (
                "; the user needs SELECT, INSERT, UPDATE and DELETE on the table penstock_state, and the first time CREATE "
                "on the schema"
            )
        return WorldError(f"the state in {self.address} cannot be used: {said}", retryable=False)


def _shown(told: dict[str, Any]) -> str:
    """The URL without password and options."""
    user = f"{told['user']}@" if told.get("user") else ""
    host, port, database = (str(told.get(name) or "") for name in ("host", "port", "dbname"))
    return f"postgresql://{user}{host}{f':{port}' if port.isdigit() else ''}/{database}"
