"""Waits double up to a ceiling and stay within a tenth of it, whatever the numbers."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from runner.plan.backoff import SPREAD, backoff, jittered

SECOND = dt.timedelta(seconds=1)
QUARTER = dt.timedelta(minutes=15)
durations = st.timedeltas(min_value=dt.timedelta(milliseconds=1), max_value=dt.timedelta(days=1))
fractions = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_waits_double_from_the_first_up_to_the_ceiling() -> None:
    waits = [backoff(n, first=SECOND, most=QUARTER, random=lambda: 0.5) for n in range(1, 13)]
    assert waits[:5] == [SECOND * n for n in (1, 2, 4, 8, 16)]
    assert waits[9:] == [SECOND * 512, QUARTER, QUARTER]


def test_a_first_wait_beyond_the_ceiling_is_kept() -> None:
    assert backoff(7, first=QUARTER * 4, most=QUARTER, random=lambda: 0.5) == QUARTER * 4


@given(failures=st.integers(min_value=1, max_value=10**9), first=durations, most=durations, fraction=fractions)
def test_no_wait_leaves_its_bounds(failures: int, first: dt.timedelta, most: dt.timedelta, fraction: float) -> None:
    wait = backoff(failures, first=first, most=most, random=lambda: fraction)
    rounding = dt.timedelta(microseconds=1)
    assert first * (1 - SPREAD) - rounding <= wait <= max(first, most) * (1 + SPREAD) + rounding


@given(failures=st.integers(min_value=1, max_value=60), first=durations, most=durations)
def test_a_further_failure_never_shortens_the_wait(failures: int, first: dt.timedelta, most: dt.timedelta) -> None:
    def wait(count: int) -> dt.timedelta:
        return backoff(count, first=first, most=most, random=lambda: 0.5)

    assert wait(failures) <= wait(failures + 1)


def test_jitter_spreads_both_ways() -> None:
    assert jittered(SECOND * 10, lambda: 0.0) == SECOND * 9
    assert jittered(SECOND * 10, lambda: 0.5) == SECOND * 10
