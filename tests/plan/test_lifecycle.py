"""Which lifecycle events a deployment has."""

import pytest
from store_cases import group

from runner.errors import InvalidLoadBalancer
from runner.model.manifest import GroupSettings
from runner.model.traffic import Backend, LoadBalancing
from runner.model.value import from_json, to_json
from runner.plan.lifecycle import server_in_place
from runner.plan.traffic import check_load_balancer

BALANCED = group("web", load_balancer=LoadBalancing(haproxy=(Backend(load_balancer="edge", name="app"),)))


def test_with_a_load_balancer_there_are_the_traffic_events() -> None:
    """Source: CodeDeploy user guide, "Order of hooks in a deployment", in-place with a load balancer."""
    assert server_in_place().of(BALANCED) == (
        *("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"),
        *("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall"),
        *("ApplicationStart", "ValidateService"),
        *("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
    )


def test_without_one_they_are_absent() -> None:
    """As in the settings of a deployment that was recorded before there were load balancers."""
    old = from_json('{"name": "web", "tags": {}, "rollout": {"name": "r"}}', GroupSettings)
    assert server_in_place().of(old) == (
        *("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall"),
        *("ApplicationStart", "ValidateService"),
    )


def test_settings_with_a_load_balancer_survive_being_stored() -> None:
    assert from_json(to_json(BALANCED), GroupSettings) == BALANCED


def test_a_load_balancer_that_is_not_configured_is_an_error() -> None:
    check_load_balancer(group("web"), ())
    check_load_balancer(BALANCED, {"edge"})
    with pytest.raises(InvalidLoadBalancer, match=r"web is behind edge/app.*did you mean edges\?"):
        check_load_balancer(BALANCED, {"edges"})
