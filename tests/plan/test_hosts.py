import datetime as dt

from runner.model.application import OnPremisesInstance
from runner.model.target import Host
from runner.plan.hosts import hosts

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_registered_instances_are_hosts_with_an_agent_unless_the_configuration_has_the_name() -> None:
    configured = (Host(name="a", folder="/a"),)
    instances = [
        OnPremisesInstance(name="a", registered_at=T0, tags={"x": "1"}),
        OnPremisesInstance(name="b", registered_at=T0, tags={"x": "2"}),
        OnPremisesInstance(name="c", registered_at=T0, deregistered_at=T0),
    ]
    assert hosts(configured, instances) == (*configured, Host(name="b", transport="agent", tags={"x": "2"}))
