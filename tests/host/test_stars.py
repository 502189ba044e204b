"""Patterns of which only `*` is special."""

import re

from hypothesis import given
from hypothesis import strategies as st

from runner.host.lean.stars import fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_fits_as_a_regular_expression_would(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert fits(text, pattern) == (re.fullmatch(expression, text, re.DOTALL) is not None)
