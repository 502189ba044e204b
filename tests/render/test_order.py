"""The order of deployment groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.render.order import cycles, order


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({}, []),
        ({"b": None, "a": None}, ["b", "a"]),
        ({"production": "staging", "staging": None, "lab": None}, ["staging", "production", "lab"]),
        ({"c": "b", "b": "a", "a": None}, ["a", "b", "c"]),
        ({"a": None, "b": "a", "c": "a"}, ["a", "b", "c"]),
        ({"a": "b", "b": "a", "c": None, "d": "a"}, ["c"]),
    ],
)
def test_every_group_stands_behind_the_one_it_comes_after(after, expected):
    assert order(after) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"a": None, "b": "a"}, []),
        ({"a": "a"}, [["a"]]),
        ({"x": "a", "a": "b", "b": "c", "c": "a", "d": "d"}, [["a", "b", "c"], ["d"]]),
        ({"a": "gone"}, []),
    ],
)
def test_a_cycle_is_found_once(after, expected):
    assert cycles(after) == expected


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([None, *"abcdefgh"])))
def test_groups_are_either_ordered_or_in_or_behind_a_cycle(after):
    after = {name: before if before in after else None for name, before in after.items()}
    ordered = order(after)
    circling = {name for cycle in cycles(after) for name in cycle}
    assert len(set(ordered)) == len(ordered)
    assert all(after[name] is None or after[name] in ordered[: ordered.index(name)] for name in ordered)
    assert (set(ordered) == set(after)) == (not circling)
