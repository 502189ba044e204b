"""What a finished deployment says about its hosts: the table of the user guide."""

import pytest

from runner.model.deployment import DeploymentStatus
from runner.model.target import InstanceHealth, RevisionHealth, TargetStatus
from runner.plan.health import after_deployment

CURRENT, OLD, UNKNOWN = RevisionHealth.CURRENT, RevisionHealth.OLD, RevisionHealth.UNKNOWN


def after(status, before, outcome):
    known = [] if before is None else [InstanceHealth(target="a", healthy=before[0], revision=before[1])]
    health = after_deployment(status, known, {} if outcome is None else {"a": outcome})[0]
    return health.healthy, health.revision


@pytest.mark.parametrize(
    ("before", "outcome", "expected"),
    [
        ((True, CURRENT), TargetStatus.SUCCEEDED, (True, CURRENT)),
        ((True, CURRENT), TargetStatus.FAILED, (False, UNKNOWN)),
        ((False, OLD), TargetStatus.SUCCEEDED, (True, CURRENT)),
        ((False, UNKNOWN), TargetStatus.FAILED, (False, UNKNOWN)),
        (None, TargetStatus.SUCCEEDED, (True, CURRENT)),
        ((True, CURRENT), None, (True, OLD)),
    ],
)
def test_after_overall_success(before, outcome, expected):
    assert after(DeploymentStatus.SUCCEEDED, before, outcome) == expected


@pytest.mark.parametrize("status", [DeploymentStatus.FAILED, DeploymentStatus.STOPPED])
@pytest.mark.parametrize(
    ("before", "outcome", "expected"),
    [
        ((False, CURRENT), TargetStatus.SUCCEEDED, (True, UNKNOWN)),  # statement 27: healthy, yet not Current
        ((True, CURRENT), TargetStatus.FAILED, (False, UNKNOWN)),
        ((True, CURRENT), TargetStatus.SKIPPED, (True, CURRENT)),
        ((False, OLD), TargetStatus.SKIPPED, (False, OLD)),
        (None, TargetStatus.SKIPPED, (False, UNKNOWN)),
    ],
)
def test_after_failure_or_stop_untouched_hosts_keep_theirs(status, before, outcome, expected):
    assert after(status, before, outcome) == expected
