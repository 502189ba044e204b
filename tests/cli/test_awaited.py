"""`penstock show` says which agents a deployment waits for."""

import datetime as dt
from collections.abc import Callable

import pytest
from store_cases import World

from runner.cli.awaited import awaited_agents
from runner.model.host_command import AgentContact, CommandStatus, HostCommand
from runner.model.work import RunEvent
from runner.service import Service

Begin = Callable[[CommandStatus], dict[str, str]]


@pytest.fixture
def asked(world: World) -> Begin:
    """Two hosts of staging are in an event; their commands have this status. What is said of their agents?"""
    staging = world.push("a")[0]
    actions = world.step([])
    while not any(isinstance(action, RunEvent) for action in actions):
        actions = world.step(actions)
    events = [action for action in actions if isinstance(action, RunEvent)]

    def ask(status: CommandStatus) -> dict[str, str]:
        commands = [
            HostCommand(
                deployment_id=staging,
                host=action.target,
                event=action.name,
                attempt=action.attempt,
                status=status,
                queued_at=world.now,
            )
            for action in events
        ]
        world.store.host_commands.save(commands, [])
        described = Service(world.store, lambda: (), lambda: world.now).describe(staging)
        return awaited_agents(world.store, described, world.now)

    return ask


def test_an_agent_that_never_asked_is_said_to_be_missing(asked: Begin) -> None:
    said = asked("Pending")
    assert set(said) == {"staging-1", "staging-2"}
    assert "none of staging-1 has ever asked: `penstock keys enrol staging-1`" in said["staging-1"]


def test_an_agent_that_was_there_is_told_with_its_last_contact(world: World, asked: Begin) -> None:
    at = world.now - dt.timedelta(seconds=90)
    for host, version in (("staging-1", "penstock/1"), ("staging-2", "OFFICIAL_1.8.1_deb")):
        world.store.host_commands.save([], [AgentContact(host=host, at=at, version=version)])
    said = asked("Pending")
    assert "last contact 1m30s ago" in said["staging-1"]
    assert "systemctl status penstock-agent" in said["staging-1"]
    assert "systemctl status codedeploy-agent" in said["staging-2"]


def test_what_an_agent_has_taken_up_is_not_waited_for(asked: Begin) -> None:
    assert asked("InProgress") == {}


def test_hosts_without_agents_have_no_commands_to_take_up(world: World) -> None:
    staging = world.push("a")[0]
    world.settle()
    described = Service(world.store, lambda: (), lambda: world.now).describe(staging)
    assert awaited_agents(world.store, described, world.now) == {}
