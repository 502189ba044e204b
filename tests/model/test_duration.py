"""Durations as people write them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import UserError
from runner.model.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), ("1d2h3m4s", 93_784), ("0s", 0)],
)
def test_a_duration_is_read(text, seconds):
    assert parse_duration(text) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "5 m", "m", "1.5h", "30m1h", "-5m", "5m5m", "1w", "5M", "9999999s", "\u0665m"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UserError, match="is not a duration; write it as 90s, 5m"):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (300, "5m"), (90, "1m30s"), (86_400, "1d"), (5400, "1h30m")])
def test_a_duration_is_written_as_people_would(seconds, text):
    assert format_duration(dt.timedelta(seconds=seconds)) == text


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_written_is_read_back(seconds):
    duration = dt.timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration
