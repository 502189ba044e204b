"""`penstock sync`, as cron runs it, on a state folder that is broken: it says what is wrong, and changes nothing."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_cases import Penstock

from runner.cli import exits

PAGE = 4096  # bytes


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 5 * PAGE])


def scrambled(file: Path) -> None:
    content = file.read_bytes()
    noise = random.Random(1).randbytes(len(content) - 3 * PAGE)
    file.write_bytes(content[: 2 * PAGE] + noise + content[-PAGE:])


def newer(file: Path) -> None:
    database = sqlite3.connect(file)
    with database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()


@pytest.fixture
def shop(penstock: Penstock) -> Penstock:
    """With a repository that is configured, and deployed once."""
    penstock.checkout()
    config = penstock.here / "penstock.toml"
    config.write_text(f'{config.read_text()}\n[repositories.shop]\nurl = "{penstock.here}"\n')
    assert penstock("sync").status == exits.FINE
    return penstock


@pytest.mark.parametrize(
    ("breaks", "message"),
    [(truncated, "is damaged"), (scrambled, "is damaged"), (newer, "written by a newer Penstock (schema 9999")],
)
def test_it_says_what_is_wrong_and_touches_nothing(
    shop: Penstock, breaks: Callable[[Path], None], message: str
) -> None:
    file = shop.state / "penstock.db"
    database = sqlite3.connect(file)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    for each in shop.state.glob("penstock.db-*"):
        each.unlink()
    breaks(file)
    content = file.read_bytes()
    shop.commit()
    for _ in range(2):  # the next run of cron says the same
        said = shop("sync")
        assert said.status == exits.WORLDS_FAILURE
        assert message in said.err
        assert "bug in Penstock" not in said.err
        assert file.read_bytes() == content
