"""Agents that ask for their commands: what the command API needs, and what is remembered, as Protocols."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

from runner.model.host_command import AgentContact, CommandKey, CommandStatus, HostCommand
from runner.model.revision import Bundle


class Caller(NamedTuple):
    """Who asks. *host*: of its access key. *identifier*: what it calls its host, "" where it does not say.

    *version*: of the agent.
    """

    host: str
    identifier: str = ""
    version: str = ""


class Handed(NamedTuple):
    """A command that is handed out. *identifier* names this handing-out; *execution* its deployment."""

    identifier: str
    execution: str
    event: str
    attempt: int


class Received(NamedTuple):
    """What became of a piece of output. *offset*: how far the server has the output."""

    status: CommandStatus
    offset: int


class CommandDesk(Protocol):
    """What agents ask of the control side. Every method raises `Refused`, ClientException, for what is not theirs."""

    async def poll(self, caller: Caller) -> Handed | None:
        """The next command of the caller's host, as soon as there is one; None after about a minute without.

        When the caller goes away (cancels) before it has it, the command is handed out anew.
        """
        ...

    async def specification(self, caller: Caller, execution: str) -> dict[str, Any]:
        """The `DeploymentSpecification` of a deployment that the host has a command of, signed."""
        ...

    async def acknowledge(self, caller: Caller, identifier: str) -> CommandStatus:
        """InProgress: the agent is to carry it out, also when it asks again. Succeeded, Failed: it is to drop it.

        Durable when it returns.
        """
        ...

    async def complete(self, caller: Caller, identifier: str, status: CommandStatus, payload: str) -> None:
        """Take down how a command ended; the first word counts, later ones are taken without a word.

        Durable when it returns.
        """
        ...

    async def update(self, caller: Caller, identifier: str, payload: str) -> Received:
        """Take a piece of output."""
        ...


class HostCommandStore(Protocol):
    """Where commands and contacts are remembered. Every method is one transaction, and may block."""

    def unfinished(self) -> list[HostCommand]:
        """Those without an outcome whose deployment is under way, the oldest first."""
        ...

    def knows(self, key: CommandKey) -> bool:
        """Whether there is one under *key*. Takes microseconds, and may be asked in a loop."""
        ...

    def find(self, keys: Sequence[CommandKey]) -> dict[CommandKey, HostCommand]:
        """Those of *keys* that are known."""
        ...

    def stopping(self, deployment_ids: Collection[str]) -> set[str]:
        """Those of the deployments that somebody wants stopped."""
        ...

    def save(self, commands: Sequence[HostCommand], contacts: Sequence[AgentContact]) -> None:
        """Keep all of them, each in place of what was known under its key. Contacts never go back in time."""
        ...

    def contacts(self) -> list[AgentContact]: ...

    def deployments_of(self, host: str, limit: int) -> list[str]:
        """IDs of the deployments that had commands for *host*: those that are not over first, then the latest."""
        ...


class BundleAtHand(NamedTuple):
    """A bundle that a host may fetch. *etag*: without quotes. *version*: of the object in S3, if it has one."""

    bundle: Bundle
    etag: str
    version: str | None


class HostBundles(Protocol):
    """The bundles that hosts fetch from us."""

    def find(self, host: str, authority: str, path: str, version: str | None) -> BundleAtHand | None:
        """What `/BUCKET/KEY` is, or `/KEY` at `BUCKET.AUTHORITY`, for a deployment of *host*. May block.

        *path*: decoded. None: there is none, or it is not for this host.
        """
        ...


class SigningKey(Protocol):
    """The key that specifications are signed with, as agents pin it."""

    @property
    def modulus(self) -> int: ...

    @property
    def exponent(self) -> int: ...

    def fingerprint(self) -> str:
        """The first 32 hex digits of the SHA-256 over `n:e`, n in lower-case hex, e in decimal."""
        ...
