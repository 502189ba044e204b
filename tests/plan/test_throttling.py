"""What an answer says of when to come back."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.plan.throttling import LONGEST, UNTOLD, pause

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
RESET = str(int(NOW.timestamp()) + 120)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"retry-after": "7"}, 7),
        (429, {"retry-after": "0"}, 1),
        (429, {"retry-after": "soon"}, UNTOLD.total_seconds()),
        (429, {"retry-after": "Tue, 01 Jan 2030 00:00:30 GMT"}, 30),
        (429, {"retry-after": "Mon, 31 Dec 2029 00:00:00 GMT"}, 1),
        (429, {"retry-after": "9" * 50}, LONGEST.total_seconds()),
        (403, {"retry-after": "60"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": RESET}, 120),
        (403, {"x-ratelimit-remaining": "0"}, UNTOLD.total_seconds()),
        (503, {"retry-after": "5"}, 5),
    ],
)
def test_a_service_that_wants_to_be_left_alone(status: int, headers: dict[str, str], seconds: float) -> None:
    assert pause(status, headers, NOW) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"retry-after": "60"}),
        (403, {}),
        (403, {"x-ratelimit-remaining": "17", "x-ratelimit-reset": RESET}),
        (500, {"retry-after": "60"}),
        (503, {}),
        (404, {}),
    ],
)
def test_other_answers_ask_for_no_pause(status: int, headers: dict[str, str]) -> None:
    assert pause(status, headers, NOW) is None


@given(st.sampled_from([403, 429, 503]), st.text(max_size=30), st.text(max_size=30))
def test_whatever_a_service_writes_the_pause_is_bounded(status: int, after: str, reset: str) -> None:
    headers = {"retry-after": after, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    found = pause(status, headers, NOW)
    assert found is None or dt.timedelta(0) < found <= LONGEST
