import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_cases import PIPELINE, begin_with_tables

from runner.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    begin_with_tables(tmp_path / "state")
    made = Store(tmp_path / "state", PIPELINE)
    yield made
    made.close()


class Rows:
    """What is in the database, as an outsider sees it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, columns: str = "delivery", where: str = "1") -> list[tuple[Any, ...]]:
        database = sqlite3.connect(self._file)
        try:
            return database.execute(f"SELECT {columns} FROM deliveries WHERE {where} ORDER BY id").fetchall()
        finally:
            database.close()


@pytest.fixture
def rows(store: Store, tmp_path: Path) -> Rows:
    return Rows(tmp_path / "state/penstock.db")
