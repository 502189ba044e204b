"""State folders of earlier versions are brought up to date, with all that is in them."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from store_cases import PIPELINE, T0, group, manifest, revision

from runner.model.deployment import DeploymentStatus, Options
from runner.model.work import Wish
from runner.store.store import Store


def make_old(database: Path) -> None:
    """What version 0002 had: no status Ready, no alarm, no states of targets."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for table, columns in (("deployments", ("wait", "alarm")), ("targets", ("state",))):
            for column in columns:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, '''InProgress'', ''Ready''', '''InProgress''')")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.execute("DROP TABLE hook_executions")
    connection.close()


def test_the_state_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    store = Store(tmp_path, PIPELINE)
    wish = Wish(manifest=manifest(group("production")), revision=revision("a"))
    (made,) = store.create_releases("shop", [wish], "user", Options(), T0)
    before = store.journal(made)
    store.close()
    make_old(tmp_path / "penstock.db")
    with sqlite3.connect(tmp_path / "penstock.db") as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE deployments SET status = 'Ready'")
    connection.close()

    store = Store(tmp_path, PIPELINE)
    assert store.deployment(made).status is DeploymentStatus.CREATED
    assert store.journal(made) == before
    store.close()
    with sqlite3.connect(tmp_path / "penstock.db") as connection:
        connection.execute("UPDATE deployments SET status = 'Ready'")
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'journal'").fetchone()
        assert "REFERENCES deployments (id)" in sql
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        assert {"one_active_deployment_per_group", "deployments_timers"} <= names
    connection.close()


SCHEMA = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'deployments' AND sql IS NOT NULL"


def schema(folder: Path) -> dict[str, str]:
    """How deployments and their indexes were made, by name, whatever the lines are broken at."""
    with sqlite3.connect(folder / "penstock.db") as connection:
        rows = connection.execute(SCHEMA).fetchall()
    connection.close()
    return {name: "".join(sql.replace('"deployments"', "deployments").split()) for name, sql in rows}


def test_deployments_of_a_state_that_was_taken_over_are_kept_as_those_of_a_new_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        Store(tmp_path / name, PIPELINE).close()
    make_old(tmp_path / "old/penstock.db")
    Store(tmp_path / "old", PIPELINE).close()
    assert schema(tmp_path / "old") == schema(tmp_path / "new")


# A program of a later version: its tables have a column that no database of before has.
LATER = """
import sys
from pathlib import Path
import sqlalchemy as sa
from runner.store import tables
tables.deployments.append_column(sa.Column("later", sa.Text))
sa.Index("later_index", tables.deployments.c.later)
from runner.store.database import Database
Database(Path(sys.argv[1])).close()
"""


def test_a_program_with_later_tables_takes_the_old_state_over_before_its_own_migrations(tmp_path: Path) -> None:
    store = Store(tmp_path, PIPELINE)
    wish = Wish(manifest=manifest(group("production")), revision=revision("a"))
    (made,) = store.create_releases("shop", [wish], "user", Options(), T0)
    store.close()
    make_old(tmp_path / "penstock.db")
    done = subprocess.run([sys.executable, "-c", LATER, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "later" not in "".join(schema(tmp_path).values())  # that is for a migration of that version to add
    store = Store(tmp_path, PIPELINE)
    assert store.deployment(made).status is DeploymentStatus.CREATED
    store.close()
