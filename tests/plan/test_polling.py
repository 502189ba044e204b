"""When repositories are asked: at the start, at their interval, rarely where a webhook works."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.polling import AT_ONCE, LONGEST_WAIT, first_wait, next_wait, wait_of_throttled

MINUTE, SECOND = dt.timedelta(minutes=1), dt.timedelta(seconds=1)


def test_few_repositories_are_asked_at_once() -> None:
    assert {first_wait(index, AT_ONCE, MINUTE) for index in range(AT_ONCE)} == {dt.timedelta(0)}


def test_ten_thousand_are_spread_over_their_interval() -> None:
    waits = [first_wait(index, 10_000, MINUTE) for index in range(10_000)]
    assert max(waits) < MINUTE
    in_a_second = [sum(1 for wait in waits if SECOND * second <= wait < SECOND * (second + 1)) for second in range(60)]
    assert max(in_a_second) < 200


def test_a_few_hundred_do_not_wait_for_a_whole_interval() -> None:
    assert max(first_wait(index, 300, MINUTE) for index in range(300)) < SECOND * 3


@given(st.integers(1, 20_000), st.integers(1, 3600))
def test_after_one_interval_all_have_been_asked(count: int, seconds: int) -> None:
    waits = [first_wait(index, count, SECOND * seconds) for index in (0, count // 2, count - 1)]
    assert waits == sorted(waits)
    assert waits[-1] < SECOND * seconds


@pytest.mark.parametrize(
    ("interval", "wait"),
    [(SECOND * 10, SECOND * 100), (MINUTE, MINUTE * 10), (MINUTE * 2, LONGEST_WAIT), (MINUTE * 60, MINUTE * 60)],
)
def test_a_repository_whose_webhook_works_is_asked_rarely(interval: dt.timedelta, wait: dt.timedelta) -> None:
    assert next_wait(interval, failures=0, told=True, random=lambda: 0.5) == wait


def test_a_failing_repository_is_not_asked_rarely_because_its_webhook_worked() -> None:
    assert next_wait(MINUTE, failures=1, told=True, random=lambda: 0.5) == MINUTE


def test_after_a_pause_repositories_come_back_one_by_one() -> None:
    waits = [wait_of_throttled(SECOND * 90, MINUTE, lambda part=part: part / 4) for part in range(4)]  # type: ignore[misc]
    assert waits == [SECOND * 90, SECOND * 105, SECOND * 120, SECOND * 135]
