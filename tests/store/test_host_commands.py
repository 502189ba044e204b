"""Commands for agents, and contacts, as the store keeps them."""

import datetime as dt
from pathlib import Path

import pytest
from store_cases import T0, World

from runner.model.command import Outcome
from runner.model.host_command import AgentContact, HostCommand
from runner.model.target import Diagnostics


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def command(deployment: str, event: str = "Install", host: str = "web-1", **of_command: object) -> HostCommand:
    return HostCommand(deployment_id=deployment, host=host, event=event, attempt=1, queued_at=T0, **of_command)  # type: ignore[arg-type]


def test_a_command_is_found_as_it_was_saved_last(world: World) -> None:
    store, (deployment, *_) = world.store.host_commands, world.push("a")
    made = command(deployment)
    assert store.find([made.key]) == {}
    assert not store.knows(made.key)
    store.save([made], [])
    assert store.knows(made.key)
    outcome = Outcome(succeeded=False, diagnostics=Diagnostics(error_code="ScriptFailed", message="ü"), began=False)
    ended = command(
        deployment,
        status="Failed",
        handed_out=2,
        acknowledged=2,
        handed_out_at=T0,
        acknowledged_at=T0,
        completed_at=T0,
        outcome=outcome,
    )
    other = command(deployment, "AfterInstall")
    store.save([ended, other], [])
    assert store.find([made.key, other.key, ("d-X", "h", "Install", 1)]) == {made.key: ended, other.key: other}


def test_unfinished_are_the_commands_without_end_of_deployments_under_way(world: World) -> None:
    store = world.store.host_commands
    staging, production = world.push("a")
    world.step([])
    saved = [command(staging), command(staging, "Late", status="Succeeded"), command(production)]
    store.save(saved, [])
    assert store.unfinished() == [command(staging)]  # production waits for staging: nobody can have asked for it


def test_the_deployments_of_a_host_are_those_under_way_and_then_the_latest(world: World) -> None:
    store = world.store.host_commands
    first, second = world.push("a")
    world.settle()
    third, _fourth = world.push("b")
    world.step([])
    store.save([command(each) for each in (first, second, third)] + [command(first, host="web-2")], [])
    assert store.deployments_of("web-1", 2) == [third, second]
    assert store.deployments_of("web-2", 9) == [first]
    assert store.deployments_of("web-3", 9) == []


def test_contacts_never_go_back_in_time_and_may_be_many(world: World) -> None:
    store = world.store.host_commands
    later = AgentContact(host="h0001", at=T0 + dt.timedelta(minutes=1), version="penstock/1", identifier="x")
    store.save([], [AgentContact(host=f"h{number:04}", at=T0) for number in range(1200)])
    store.save([], [later])
    store.save([], [AgentContact(host="h0001", at=T0), AgentContact(host="h0000", at=T0, version="v" * 500)])
    found = store.contacts()
    assert len(found) == 1200
    assert found[1] == later
    assert found[0].version == ""
