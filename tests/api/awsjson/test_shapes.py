"""Shapes that CodeDeploy's model does not have, or only outputs have: from a small model of our own."""

import datetime as dt
import json
from typing import Any

import pytest

from runner.api.awsjson import models
from runner.api.awsjson.constraints import constraints, required
from runner.api.awsjson.faults import Fault
from runner.api.awsjson.parsing import parser
from runner.api.awsjson.service import Service
from runner.api.awsjson.shaping import Misshapen, shaper

MODEL: dict[str, Any] = {
    "shapes": {
        "All": {
            "type": "structure",
            "required": ["name"],
            "members": {
                "name": {"shape": "Name", "locationName": "Name"},
                "inner": {"shape": "All"},
                "blob": {"shape": "Blob"},
                "long": {"shape": "Long"},
                "double": {"shape": "Double"},
                "time": {"shape": "Time"},
                "flag": {"shape": "Flag"},
                "many": {"shape": "Many"},
                "map": {"shape": "Map"},
                "either": {"shape": "Either"},
                "word": {"shape": "Word"},
            },
        },
        "Name": {"type": "string", "min": 2},
        "Blob": {"type": "blob", "max": 3},
        "Long": {"type": "long", "max": 7},
        "Double": {"type": "double"},
        "Time": {"type": "timestamp"},
        "Flag": {"type": "boolean"},
        "Many": {"type": "list", "member": {"shape": "All"}, "max": 2},
        "Map": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Many"}},
        "Either": {
            "type": "structure",
            "union": True,
            "members": {"this": {"shape": "Name"}, "that": {"shape": "Long"}},
        },
        "Word": {"type": "string", "enum": ["yes", "no"]},
    }
}

PARSE = parser(MODEL, "All", {})
STRICT = shaper(MODEL, "All", {}, strict=True)
LENIENT = shaper(MODEL, "All", {}, strict=False)


def test_members_are_called_as_the_model_calls_them_in_json() -> None:
    assert PARSE({"Name": "ab", "name": "cd"}) == {"name": "ab"}
    assert STRICT({"name": "ab"}) == {"Name": "ab"}


def test_blobs_are_base64() -> None:
    assert PARSE({"blob": "AP8="}) == {"blob": b"\x00\xff"}
    assert STRICT({"name": "ab", "blob": b"\x00\xff"}) == {"Name": "ab", "blob": "AP8="}
    for wrong in ("AP8", "A*8=", "é", 1):
        with pytest.raises(Fault):
            PARSE({"blob": wrong})


def test_long_numbers_have_64_bits() -> None:
    assert PARSE({"long": 2**63 - 1, "double": 1}) == {"long": 2**63 - 1, "double": 1.0}
    for wrong in (2**63, -(2**63) - 1, True, 1.0, "1"):
        with pytest.raises(Fault, match=r"^long: "):
            PARSE({"long": wrong})


@pytest.mark.parametrize("wrong", [10**400, float("inf"), True, "1"])
def test_doubles_are_finite_numbers(wrong: Any) -> None:
    with pytest.raises(Fault, match=r"^double: "):
        PARSE({"double": wrong})


def test_a_union_has_exactly_one_member() -> None:
    assert PARSE({"either": {"that": 1, "this": None, "other": 2}}) == {"either": {"that": 1}}
    for wrong in ({}, {"this": "ab", "that": 1}):
        with pytest.raises(Fault, match="exactly one"):
            PARSE({"either": wrong})


def test_a_fault_says_where_it_is() -> None:
    with pytest.raises(Fault, match=r"^many\[1\]\.map\.key\[0\]\.flag: should be true or false, not a string"):
        PARSE({"many": [{}, {"map": {"key": [{"flag": "true"}]}}]})


def test_required_members_are_looked_for_at_any_depth() -> None:
    check = required(MODEL, "All")
    assert check
    check(PARSE({"Name": "ab"}))
    with pytest.raises(Fault, match=r"^many\[0\]\.name: is required"):
        check(PARSE({"Name": "ab", "many": [{}]}))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "a"}, "name: should have at least 2 characters"),
        ({"blob": b"four"}, "blob: should have at most 3 bytes"),
        ({"long": 8}, "long: should be at most 7"),
        ({"many": [{}, {}, {}]}, "many: should have at most 2 items"),
        ({"map": {"k": []}}, "map.k: should have at least 2 characters"),
        ({"word": "maybe"}, "word: should be one of no, yes"),
        ({"many": [None]}, "many[0]: should not be null"),
    ],
)
def test_lengths_ranges_and_words_are_checked(value: Any, message: str) -> None:
    check = constraints(MODEL, "All", {})
    assert check
    with pytest.raises(Fault) as caught:
        check(value)
    assert str(caught.value) == message


def test_none_is_left_out_of_answers_and_times_are_seconds() -> None:
    time = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.timezone(dt.timedelta(hours=1)))
    assert STRICT({"name": "ab", "time": time, "flag": None, "map": {"ab": []}}) == {
        "Name": "ab",
        "time": 1767319445.679,
        "map": {"ab": []},
    }


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"name": 1},
        {"name": "\ud800"},
        {"name": "ab", "extra": None},
        {"name": "ab", "word": "maybe"},
        {"name": "ab", "time": dt.datetime(2026, 1, 1)},  # noqa: DTZ001 - a naive one is meant
        {"name": "ab", "time": 1.0},
        {"name": "ab", "flag": 1},
        {"name": "ab", "long": True},
        {"name": "ab", "long": 2**63},
        {"name": "ab", "double": float("nan")},
        {"name": "ab", "blob": "text"},
        {"name": "ab", "many": {"name": "ab"}},
        {"name": "ab", "many": [None]},
        {"name": "ab", "map": []},
        {"name": "ab", "map": {1: []}},
    ],
)
def test_an_answer_that_does_not_fit_is_our_bug(answer: Any) -> None:
    with pytest.raises(Misshapen):
        STRICT(answer)


def test_a_model_that_is_older_than_we_are_costs_members_not_answers() -> None:
    assert LENIENT({"name": "ab", "word": "maybe", "newer": {"a": 1}}) == {"Name": "ab", "word": "maybe"}
    with pytest.raises(Misshapen):
        LENIENT({"name": 1})


def test_one_at_a_time_may_be_answered_as_codedeploy_does() -> None:
    service = Service("CodeDeploy_20141006", "codedeploy", models.codedeploy, {}, strict=True)
    answer = {"deploymentConfigInfo": {"minimumHealthyHosts": {"type": "MOST_CONCURRENCY", "value": 1}}}
    assert json.loads(service.write("GetDeploymentConfig", answer)) == answer


def test_an_operation_without_output_answers_an_empty_object() -> None:
    service = Service("CodeDeploy_20141006", "codedeploy", models.codedeploy, {}, strict=True)
    assert service.write("DeleteApplication", {}) == b"{}"
