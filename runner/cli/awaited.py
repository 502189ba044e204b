"""Agents that a deployment waits for: commands that none has taken up yet, in words."""

import datetime as dt
from typing import TYPE_CHECKING

from runner.cli.words import ago
from runner.model.host_command import AgentContact
from runner.model.target import EventStatus

if TYPE_CHECKING:
    from runner.service import Description
    from runner.store.store import Store


def awaited_agents(store: "Store", described: "Description", now: dt.datetime) -> dict[str, str]:
    """Target to what is known of its agent, for targets whose event in progress no agent has taken up."""
    keys = [
        (described.deployment.id, target.id, event.name, event.attempt)
        for target in described.targets
        for event in target.lifecycle_events
        if event.status is EventStatus.IN_PROGRESS
    ]
    waiting = [each.host for each in store.host_commands.find(keys).values() if each.status == "Pending"]
    if not waiting:
        return {}
    contacts = {contact.host: contact for contact in store.host_commands.contacts()}
    return {host: _said(host, contacts.get(host), now) for host in waiting}


def _said(host: str, contact: AgentContact | None, now: dt.datetime) -> str:
    if contact is None:
        return f"no agent has taken it up, and none of {host} has ever asked: `penstock keys enrol {host}` says how"
    service = "penstock-agent" if contact.is_ours else "codedeploy-agent"
    heard = ago(contact.at, now)
    return f"its agent has not taken it up; last contact {heard}. On the host: `systemctl status {service}`"
