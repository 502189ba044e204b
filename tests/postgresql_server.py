"""A real PostgreSQL on loopback, below a folder of its own. It does not run as root, so as root it runs as `nobody`.

with running_postgresql() as server:
    psycopg.connect(server.new_database("penstock"))     # a URL with user and password
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from haproxy import free_port
from psycopg import sql

PASSWORD = "s3cr3t-of-the-test"
_START_WITHIN = 60.0  # seconds
_AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
_SETTINGS = {"listen_addresses": "127.0.0.1", "fsync": "off", "max_connections": "20", "shared_buffers": "16MB"}


class Server:
    """*url*: of its superuser. Databases are made by `new_database`, for a user who may do nothing else."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def new_database(self, name: str, user: str = "shop") -> str:
        with psycopg.connect(self.url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone():
                create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(user), sql.Literal(PASSWORD))
                connection.execute(create)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(sql.Identifier(name)))
            create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(user))
            connection.execute(create)
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        command = [_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-k", "", *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*_lowered(), *command], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url):
                return
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """At once, as when its machine is switched off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None


@contextlib.contextmanager
def running_postgresql() -> Iterator[Server]:
    # Not below pytest's folders, which are for their owner alone.
    folder = Path(tempfile.mkdtemp(prefix="penstock-postgresql-"))
    server = Server(folder, free_port())
    try:
        if _lowered():
            shutil.chown(folder, "nobody", "nogroup")
        options = ["--no-sync", "--no-instructions", "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust"]
        subprocess.run(
            [*_lowered(), _program("initdb"), "-D", str(folder / "data"), *options],
            check=True,
            capture_output=True,
            timeout=60,
        )
        (folder / "data" / "pg_hba.conf").write_text(
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _lowered() -> list[str]:
    return _AS_NOBODY if os.geteuid() == 0 else []


def _program(name: str) -> str:
    """Debian keeps the server's programs beside its versions, not on the path."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    assert found, f"{name} is not installed: scripts/debian-packages"
    return found
