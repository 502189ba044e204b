"""Commands for hosts whose agent asks for them, as they are recorded, and what is known of the agents."""

import datetime as dt
from typing import Literal, TypeAlias

from runner.model.command import Outcome
from runner.model.value import Value

CommandStatus: TypeAlias = Literal["Pending", "InProgress", "Succeeded", "Failed"]
CommandKey: TypeAlias = tuple[str, str, str, int]


class HostCommand(Value, frozen=True, kw_only=True):
    """One lifecycle event for one host, on its way through an agent. Pending: no agent has acknowledged it.

    *handed_out*: how often an agent was given it; *acknowledged*: which of these the agent took up, and no other is.
    """

    deployment_id: str
    host: str
    event: str
    attempt: int
    status: CommandStatus = "Pending"
    handed_out: int = 0
    acknowledged: int | None = None
    queued_at: dt.datetime
    handed_out_at: dt.datetime | None = None
    acknowledged_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    outcome: Outcome | None = None

    @property
    def key(self) -> CommandKey:
        """The idempotency key, as `Command.key` has it."""
        return (self.deployment_id, self.host, self.event, self.attempt)


class AgentContact(Value, frozen=True, kw_only=True):
    """When an agent last asked for anything. *version*, *identifier*: what it says it is, and calls its host."""

    host: str
    at: dt.datetime
    version: str = ""
    identifier: str = ""

    @property
    def is_ours(self) -> bool:
        return self.version.startswith("penstock/")


class AgentTimeouts(Value, frozen=True, kw_only=True):
    """How long agents may take. *start*: until a command is acknowledged. *event*: until it is completed.

    *heartbeat*: between two requests of an agent, whatever they ask for. Source: user guide, "Deployment lifecycle events".
    """

    start: dt.timedelta = dt.timedelta(minutes=5)
    event: dt.timedelta = dt.timedelta(hours=1)
    heartbeat: dt.timedelta = dt.timedelta(minutes=3)
