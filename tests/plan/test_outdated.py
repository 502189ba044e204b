"""Deployments to outdated hosts only: which they are, and what the others have afterwards."""

import pytest

from runner.errors import NoInstances
from runner.model.deployment import DeploymentStatus
from runner.model.target import Host, InstanceHealth, RevisionHealth, TargetStatus
from runner.plan.health import after_deployment
from runner.plan.targets import outdated

CURRENT = InstanceHealth(target="a", healthy=True, revision=RevisionHealth.CURRENT)
OLD = InstanceHealth(target="b", healthy=True, revision=RevisionHealth.OLD)
HOSTS = tuple(Host(name=name) for name in "abc")


def test_hosts_with_an_old_revision_or_none_are_outdated():
    assert [host.name for host in outdated(HOSTS, [CURRENT, OLD], "production")] == ["b", "c"]


def test_where_every_host_is_current_there_is_none_to_deploy_to():
    with pytest.raises(NoInstances, match="every host of deployment group production"):
        outdated(HOSTS[:1], [CURRENT, OLD], "production")


@pytest.mark.parametrize(("moved", "revision"), [(False, RevisionHealth.CURRENT), (True, RevisionHealth.OLD)])
def test_a_host_left_out_stays_current_unless_the_group_got_another_revision(moved: bool, revision: RevisionHealth):
    done = after_deployment(DeploymentStatus.SUCCEEDED, [CURRENT, OLD], {"b": TargetStatus.SUCCEEDED}, moved=moved)
    assert [(each.target, each.revision) for each in done] == [("a", revision), ("b", RevisionHealth.CURRENT)]
