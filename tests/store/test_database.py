"""Opening the database: migrations, versions, privacy, and errors in words."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from store_cases import PIPELINE, T0

from runner.errors import WorldError
from runner.store.database import Database
from runner.store.store import Store
from runner.store.tables import metadata, repositories


def test_migrations_lead_to_the_tables_as_the_code_has_them(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []
    database.close()


def test_a_state_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    Database(tmp_path / "state").close()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_what_a_newer_penstock_wrote_is_not_touched(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with sqlite3.connect(tmp_path / "penstock.db") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(WorldError, match=r"written by a newer Penstock \(schema 9999, this one knows \d+\)"):
        Database(tmp_path)


def test_a_state_folder_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(WorldError, match="state"):
        Database(tmp_path / "state")


@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_in_use_whose_database_is_gone_does_not_begin_anew_in_silence(tmp_path: Path, empty: bool) -> None:
    Database(tmp_path).close()
    (tmp_path / "logs").mkdir()
    Database(tmp_path).close()
    for each in tmp_path.glob("penstock.db*"):
        each.unlink()
    if empty:
        (tmp_path / "penstock.db").touch()
    for _ in range(2):
        with pytest.raises(WorldError, match=r"penstock\.db is missing or empty, .* it has logs\. Restore"):
            Database(tmp_path)


def test_what_fails_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.execute(repositories.insert().values(name="shop"))
        raise ZeroDivisionError
    with database.read() as tx:
        assert tx.execute(repositories.select()).all() == []
    database.close()


def test_two_processes_worth_of_stores_write_side_by_side(tmp_path: Path) -> None:
    stores = [Store(tmp_path, PIPELINE) for _ in range(4)]

    def see(number: int) -> None:
        for each in range(10):
            stores[number].observe(f"repository-{number}-{each}", {"refs/heads/main": "a" * 40}, "poll", T0)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(see, range(4)))
    assert len(stores[0].pending_changes(T0)) == 40
    for store in stores:
        store.close()


def test_a_database_of_the_first_schema_becomes_as_a_new_one_and_keeps_its_rows(tmp_path: Path) -> None:
    script = (Path(__file__).parent / "schema-0001.sql").read_text()
    rows = (
        "INSERT INTO applications (name, platform, repository, file, created_at) VALUES ('shop', 'Server', 'r', 'f', ?)"
    )
    with closing(sqlite3.connect(tmp_path / "penstock.db")) as old:
        old.executescript(script)
        old.execute(rows, ["2026-11-22T10:00:00.000000+00:00"])
        old.commit()
    Database(tmp_path).close()
    Database(tmp_path / "new").close()
    with closing(sqlite3.connect(tmp_path / "penstock.db")) as upgraded:
        ((name, given),) = upgraded.execute("SELECT name, id FROM applications").fetchall()
        assert name == "shop" and len(given) == 36
        assert _shape(upgraded) == _shape(sqlite3.connect(tmp_path / "new" / "penstock.db"))


def _shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Every table's columns and every index, as the database itself describes them; columns in any order."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'index')").fetchall()
    return {name: sorted(row[1:4] for row in connection.execute(f"PRAGMA table_info('{name}')")) for (name,) in names}
