"""Rollouts as a manifest defines them."""

import datetime as dt

import pytest
from manifest_cases import CONTEXT, SMALL, mistakes_of, rollout_of

from runner.model.rollout import BatchStep, HoldStep, MinimumHealthyHosts, Rollout, Share
from runner.render.manifest import read


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ("{minimum_healthy: 3}", Rollout(name="mine", minimum_healthy=MinimumHealthyHosts(type="HOST_COUNT", value=3))),
        (
            "{minimum_healthy: 0%}",
            Rollout(name="mine", minimum_healthy=MinimumHealthyHosts(type="FLEET_PERCENT", value=0)),
        ),
        (
            "{steps: [{batch: 100%}]}",
            Rollout(name="mine", max_failed=0, steps=(BatchStep(size=Share(value=100, percent=True)),)),
        ),
        (
            "{max_failed: 1, steps: [{hold: 1h30m}, {batch: 2, repeat: true}, {hold: {for: 1d}}]}",
            Rollout(
                name="mine",
                max_failed=1,
                steps=(
                    HoldStep(duration=dt.timedelta(minutes=90)),
                    BatchStep(size=Share(value=2), repeat=True),
                    HoldStep(duration=dt.timedelta(days=1)),
                ),
            ),
        ),
        ("{max_failed: '{{ env.N }}', steps: [{batch: '{{ env.N }}', repeat: '{{ 1 == 1 }}'}]}", None),
    ],
)
def test_a_rollout_is_read(rollout, expected):
    [group] = read({"penstock.yaml": rollout_of(rollout)}, CONTEXT)[0].groups
    assert group.rollout == (
        expected or Rollout(name="mine", max_failed=2, steps=(BatchStep(size=Share(value=2), repeat=True),))
    )


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ("{}", ".mine: expected a mapping that is not empty, not an empty mapping"),
        ("{steps: []}", ".mine.steps: expected a list that is not empty, not an empty list"),
        ("{steps: [{hold: 5m}]}", ".mine.steps: deploys to no host; add {batch: 100%}"),
        (
            "{steps: [{batch: 25%}, {batch: 75%}]}",
            ".mine.steps[1]: the last batch must take all hosts that are left: add repeat: true, or write 100%",
        ),
        (
            "{steps: [{batch: 1, repeat: true}, {batch: 100%}]}",
            ".mine.steps[0]: repeat: true takes all hosts that are left, so the batches behind it have none",
        ),
        (
            "{steps: [{batch: 100%}, {hold: 1s}, {batch: 100%}]}",
            ".mine.steps[0]: 100% takes all hosts that are left, so the batches behind it have none",
        ),
        (
            "{steps: [{batch: 0}]}",
            '.mine.steps[0].batch: expected a number of hosts, or a part of them from "1%" to "100%", not the number 0',
        ),
        (
            "{steps: [{batch: 1, hold: 5m}]}",
            ".mine.steps[0]: expected one step: {batch: ...}, {scale: ...}, "
            "{shift: ...}, {hold: ...}, {check: ...} or {retire: ...}",
        ),
        (
            "{steps: [{hold: 5m, repeat: true}]}",
            '.mine.steps[0]: batch is missing; expected a number of hosts, or a part of them from "1%" to "100%"',
        ),
        (
            "{steps: [{hold: {for: 5m, checks: [x]}}, {batch: 100%}]}",
            ".mine.steps[0].hold.checks[0]: there is no check x",
        ),
        (
            "{steps: [{shift: 10%}]}",
            ".mine.steps[0].shift: is not built yet in this version of Penstock; leave it out",
        ),
        (
            "{minimum_healthy: 100%}",
            '.mine.minimum_healthy: expected a number of hosts, or a part of them from "0%" to "99%", not "100%"',
        ),
        ("{max_failed: -1}", ".mine.max_failed: expected a whole number from 0 up, not the number -1"),
        ("{max_failed: yes}", '.mine.max_failed: expected a whole number from 0 up, not "yes"'),
    ],
)
def test_a_wrong_rollout_is_refused(rollout, expected):
    assert mistakes_of(rollout_of(rollout)) == [f"penstock.yaml:9 rollouts{expected}"]


def test_a_rollout_that_no_group_uses_is_checked_all_the_same():
    text = SMALL + "rollouts:\n  spare: {max_failed: '{{ vars.gone }}'}\n"
    assert mistakes_of(text) == ["penstock.yaml:8 rollouts.spare.max_failed: vars.gone is not defined"]
