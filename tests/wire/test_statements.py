"""The tables in README.md tell the truth."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
README = (TESTS / "wire" / "README.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", README, re.MULTILINE)
NAMED = re.findall(r" (tests/\S+\.py)::(\w+) \|$", README, re.MULTILINE)
BUILT = [(number, place) for number, place in ROWS if place != "not built yet"]


def test_the_table_has_all_50_statements_in_order():
    assert [int(number) for number, _ in ROWS] == list(range(1, 51))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_the_other_tables_name_is_there(file: str, test: str):
    assert re.search(rf"^(?:async )?def {test}\(", (TESTS.parent / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("number", "place"), [row for row in BUILT if not row[1].startswith("tests/render")])
def test_a_statement_has_its_test_where_the_table_says(number: str, place: str):
    text = (TESTS.parent / place).read_text()
    assert re.search(rf"^(?:async )?def test_(?:statement_)?{number}_", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("number", "test"), [("40", "test_version_is_the_number_zero"), ("41", "test_an_unquoted_0755_is_refused")]
)
def test_statements_about_the_appspec_are_tests_of_its_reader(number: str, test: str):
    assert f"def {test}" in (TESTS.parent / dict(BUILT)[number]).read_text()
