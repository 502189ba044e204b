"""What a listener does, moved in parts: pure, so checked on many lists of actions."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from platforms.services.fake_world import forward, group

from runner.platforms.services.actions import describe, handed_over, moved, receives, same, shares

BLUE, GREEN, THIRD, FOURTH = (group(name) for name in ("blue", "green", "third", "fourth"))

percents = st.integers(0, 100)
others = st.dictionaries(st.sampled_from([THIRD, FOURTH]), st.integers(0, 999))


@st.composite
def lists_of_actions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A forward to the original, perhaps beside other groups and after a login."""
    weights = {BLUE: draw(st.integers(1, 999)), **draw(others)}
    login = [{"Type": "authenticate-cognito", "Order": 1}] if draw(st.booleans()) else []
    return [*login, *forward(*weights.items())]


@given(lists_of_actions(), percents)
def test_weights_are_whole_numbers_that_aws_takes(before: list[dict[str, Any]], weight: int) -> None:
    found = shares(moved(before, BLUE, GREEN, weight))
    assert all(isinstance(each, int) and 0 <= each <= 999 for each in found.values())
    assert (found[GREEN] > 0) == (weight > 0)
    assert (found[BLUE] > 0) == (weight < 100)


@given(st.integers(1, 999), percents)
def test_alone_the_weights_are_percents(whole: int, weight: int) -> None:
    assert shares(moved(forward((BLUE, whole)), BLUE, GREEN, weight)) == {BLUE: 100 - weight, GREEN: weight}


@given(lists_of_actions(), percents)
def test_everybody_elses_part_of_the_whole_stays(before: list[dict[str, Any]], weight: int) -> None:
    then, now = shares(before), shares(moved(before, BLUE, GREEN, weight))
    for arn in then.keys() - {BLUE}:
        was, is_now = then[arn] / sum(then.values()), now[arn] / sum(now.values())
        assert abs(was - is_now) < 0.004, "999 steps are as fine as it gets"
    assert [each for each in before if each["Type"] != "forward"] == [
        each for each in moved(before, BLUE, GREEN, weight) if each["Type"] != "forward"
    ]


@given(lists_of_actions(), percents, percents)
def test_two_weights_are_the_same_only_when_they_are(before: list[dict[str, Any]], one: int, other: int) -> None:
    if not any(weight for arn, weight in shares(before).items() if arn != BLUE):
        assert same(moved(before, BLUE, GREEN, one), moved(before, BLUE, GREEN, other)) == (one == other)


@given(lists_of_actions())
def test_nothing_moved_is_as_before_unless_it_is_beyond_what_weights_can_say(before: list[dict[str, Any]]) -> None:
    after = moved(before, BLUE, GREEN, 0)
    assert same(before, after)


def test_stickiness_counts_and_the_spelling_of_a_single_group_does_not() -> None:
    assert same([{"Type": "forward", "TargetGroupArn": BLUE}], forward((BLUE, 5)))
    sticky = forward((BLUE, 1), TargetGroupStickinessConfig={"Enabled": True, "DurationSeconds": 9})
    assert not same(sticky, forward((BLUE, 1)))


def test_a_network_load_balancers_listener_is_handed_over_whole() -> None:
    before = [{"Type": "forward", "TargetGroupArn": BLUE, "Order": 1}]
    assert handed_over(before, BLUE, GREEN) == [{"Type": "forward", "TargetGroupArn": GREEN, "Order": 1}]


def test_what_does_not_forward_has_no_shares() -> None:
    redirect = [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}]
    assert shares(redirect) == {} and not receives(redirect, BLUE)
    assert moved(redirect, BLUE, GREEN, 50) == redirect
    assert describe(redirect) == "redirect" and describe([]) == "nothing"
    assert describe(forward((BLUE, 9), (GREEN, 1))) == "blue 9, green 1"
