"""Our quick JSON is the standard library's JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.host.lean import plain_json

TEXT = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates too: names of files
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@given(VALUES)
def test_writes_and_reads_as_the_standard_library_does(value: object) -> None:
    assert plain_json.dumps(value) == json.dumps(value)
    assert plain_json.loads(json.dumps(value)) == value
    assert plain_json.loads(json.dumps(value, indent=2).encode()) == value


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", '{"a" 1}', "nul", '"a', "1 2", "{} x", b"\xff", "'a'"])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        plain_json.loads(text)


def test_numbers_without_a_value_are_read_as_the_standard_library_reads_them() -> None:
    assert math.isnan(plain_json.loads("NaN"))
    assert plain_json.loads("-Infinity") == -math.inf


def test_the_way_without_private_parts_gives_the_same() -> None:
    scan, encode = plain_json._from_json()
    assert scan('{"a": [1, "\\ud83d"]}', 0)[0] == {"a": [1, "\ud83d"]}
    assert "".join(encode({"a": [1, "\udc80"]}, 0)) == json.dumps({"a": [1, "\udc80"]})
