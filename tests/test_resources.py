"""The shipped data is the checkout's, in a wheel as in an editable installation."""

from pathlib import Path

import pytest

from runner import resources

ROOT = Path(__file__).parent.parent
FILES = [path for folder in ("schemas", "pipelines") for path in sorted((ROOT / folder).iterdir())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_the_one_in_the_checkout(path: Path) -> None:
    assert resources.read(path.parent.name, path.name) == path.read_text(encoding="utf-8")


def test_both_folders_ship_something() -> None:
    assert {path.parent.name for path in FILES} == {"schemas", "pipelines"}
