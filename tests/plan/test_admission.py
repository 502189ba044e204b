"""Whose turn it is."""

import datetime as dt

from runner.model.deployment import DeploymentStatus
from runner.plan.admission import Predecessor, Waiting, admit

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
HALF_HOUR = dt.timedelta(minutes=30)


def before(status: DeploymentStatus, minutes_ago: int = 0, bake: dt.timedelta = HALF_HOUR, **more) -> Predecessor:
    ended = NOW - dt.timedelta(minutes=minutes_ago) if status.is_terminal else None
    return Predecessor(id="d-STAGING", group="staging", status=status, completed_at=ended, bake=bake, **more)


def test_a_free_group_takes_the_only_one_that_waits():
    assert admit([Waiting(id="a")], None, NOW).start == "a"


def test_a_busy_group_makes_it_wait_and_says_for_what():
    verdict = admit([Waiting(id="a")], "d-ACTIVE", NOW)
    assert verdict.start is None
    assert verdict.waits == {"a": ("d-ACTIVE to finish", None)}


def test_of_those_that_wait_only_the_newest_runs():
    verdict = admit([Waiting(id="a"), Waiting(id="b"), Waiting(id="c")], "d-ACTIVE", NOW)
    assert {of: error.code for of, error in verdict.ended.items()} == {"a": "SUPERSEDED", "b": "SUPERSEDED"}
    assert "c is newer" in verdict.ended["a"].message
    assert list(verdict.waits) == ["c"]


def test_it_waits_for_the_group_before():
    verdict = admit([Waiting(id="a", predecessor=before(DeploymentStatus.IN_PROGRESS))], None, NOW)
    assert verdict.waits == {"a": ("d-STAGING in staging", None)}


def test_it_waits_for_the_bake_and_knows_until_when():
    verdict = admit([Waiting(id="a", predecessor=before(DeploymentStatus.SUCCEEDED, 10))], None, NOW)
    assert verdict.waits == {"a": ("staging to bake", NOW + dt.timedelta(minutes=20))}


def test_once_baked_it_starts():
    assert admit([Waiting(id="a", predecessor=before(DeploymentStatus.SUCCEEDED, 30))], None, NOW).start == "a"


def test_continue_cuts_the_bake_short():
    waiting = Waiting(id="a", predecessor=before(DeploymentStatus.SUCCEEDED, 1), continue_requested=True)
    assert admit([waiting], None, NOW).start == "a"


def test_a_failed_predecessor_ends_it():
    for status in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED):
        verdict = admit([Waiting(id="a", predecessor=before(status))], None, NOW)
        assert verdict.ended["a"].code == "DEPENDENCY"
        assert f"d-STAGING in staging {status.lower()}" in verdict.ended["a"].message


def test_what_replaced_it_before_it_had_baked_supersedes_it():
    replaced = before(DeploymentStatus.SUCCEEDED, 10, replaced_by="d-NEWER")
    assert admit([Waiting(id="a", predecessor=replaced)], None, NOW).ended["a"].code == "SUPERSEDED"


def test_a_stop_before_it_began_ends_it():
    assert admit([Waiting(id="a", stop_requested=True)], None, NOW).ended["a"].code == "MANUAL_STOP"


def test_one_that_still_bakes_is_not_superseded_by_a_newer_one():
    baking = Waiting(id="old", predecessor=before(DeploymentStatus.SUCCEEDED, 10))
    verdict = admit([baking, Waiting(id="new")], None, NOW)
    assert verdict.start == "new"
    assert list(verdict.waits) == ["old"]
