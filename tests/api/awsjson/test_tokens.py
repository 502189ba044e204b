"""Next tokens: taken back by their own listing, and by nothing else."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.awsjson.tokens import Tokens
from runner.errors import Refused

TOKENS = Tokens(b"sixteen bytes key")


def token(position: Any = None, operation: str = "ListDeployments", **filters: Any) -> str:
    return TOKENS.pages(operation, filters).token(position or {"after": "d-ABCDEFGHI"})


def refused(tokens: Tokens, operation: str, params: dict[str, Any]) -> bool:
    with pytest.raises(Refused) as caught:
        tokens.pages(operation, params).after()
    return caught.value.code == "InvalidNextTokenException"


def test_the_first_page_has_no_position() -> None:
    assert TOKENS.pages("ListApplications", {}).after() is None


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**63) | st.none()))
def test_a_position_comes_back_as_it_was(position: dict[str, Any]) -> None:
    given_out = TOKENS.pages("ListApplications", {}).token(position)
    assert TOKENS.pages("ListApplications", {"nextToken": given_out}).after() == position


def test_filters_may_hold_times_and_come_in_any_order() -> None:
    time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    first = {"createTimeRange": {"start": time, "end": time}, "includeOnlyStatuses": ["Failed"]}
    again = {"includeOnlyStatuses": ["Failed"], "createTimeRange": {"end": time, "start": time}}
    given_out = TOKENS.pages("ListDeployments", first).token({"after": 7})
    assert TOKENS.pages("ListDeployments", {**again, "nextToken": given_out}).after() == {"after": 7}


def test_resource_tags_spell_the_token_with_a_capital() -> None:
    given_out = TOKENS.pages("ListTagsForResource", {"ResourceArn": "a"}).token({"after": "k"})
    listing = TOKENS.pages("ListTagsForResource", {"ResourceArn": "a", "NextToken": given_out})
    assert listing.after() == {"after": "k"}


def test_a_token_of_another_listing_is_refused() -> None:
    given_out = token(applicationName="shop")
    assert refused(TOKENS, "ListDeployments", {"applicationName": "blog", "nextToken": given_out})
    assert refused(TOKENS, "ListDeployments", {"nextToken": given_out})
    assert refused(TOKENS, "ListDeploymentGroups", {"applicationName": "shop", "nextToken": given_out})


def test_a_token_of_another_server_is_refused() -> None:
    assert refused(Tokens(b"another key, as long"), "ListDeployments", {"nextToken": token()})


@given(st.data())
def test_a_token_that_was_cut_or_changed_is_refused(data: st.DataObject) -> None:
    given_out = token()
    where = data.draw(st.integers(0, len(given_out) - 1))
    assert refused(TOKENS, "ListDeployments", {"nextToken": given_out[:where]})
    other = data.draw(st.sampled_from([c for c in "ABab01-_" if c != given_out[where]]))
    changed = given_out[:where] + other + given_out[where + 1 :]
    if where < len(given_out) - 1:  # the last character has bits that mean nothing
        assert refused(TOKENS, "ListDeployments", {"nextToken": changed})


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    assert refused(TOKENS, "ListDeployments", {"nextToken": text})


def test_a_short_key_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Tokens(b"short")
