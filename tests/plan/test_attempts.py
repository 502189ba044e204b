"""What an act that died without a word counts as."""

from runner.model.functions import LambdaState
from runner.model.program import Act
from runner.model.services import EcsState
from runner.plan.attempts import attempted

ALIAS = LambdaState(function="resize", alias="live", current_version="1", target_version="2", weight=10)
SERVICE = EcsState(cluster="blue", service="api", controller="EXTERNAL", weight=10)


def test_traffic_may_have_moved() -> None:
    function = attempted(ALIAS, Act(event="AllowTraffic", weight=50))
    assert isinstance(function, LambdaState)
    assert (function.weight, function.attempted) == (10, 50)
    service = attempted(SERVICE, Act(event="AllowTraffic", weight=50))
    assert isinstance(service, EcsState) and service.weight == 50


def test_what_moves_no_traffic_leaves_nothing_behind() -> None:
    assert attempted(ALIAS, Act(event="BeforeAllowTraffic")) == ALIAS
    assert attempted(SERVICE, Act(event="Install", scale=100)) == SERVICE
