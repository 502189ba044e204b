"""How far every deployment is, told by its journal entries alone: what both kinds of progress show."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.model.journal import Entry

NOUNS = {"Lambda": "function", "ECS": "service"}
WAITS = {
    "hold": "holds",
    "ready": "ready, waits for `penstock continue`",
    "termination": "keeps the original",
}

_LONG_COMMIT = re.compile(r"@sha(?:1|256):([0-9a-f]{10})[0-9a-f]+$")
_PIN = re.compile(r"\?(?:versionId|eTag)=[^?]*$")  # of an object in S3
_DIGITS = re.compile(r"([0-9a-f]{10})[0-9a-f]{30,54}")  # a commit ID within its key
_BEFORE = "what served before"  # what a rollback of a function or a service brings back, whatever its revision was


@dataclass(slots=True)
class HostRow:
    """One target: the status of each of its lifecycle events so far."""

    status: str = "Pending"
    events: dict[str, str] = field(default_factory=dict)
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    message: str = ""
    weight: int | None = None  # percent of the traffic that has moved


@dataclass(slots=True)
class Rollout:
    """One deployment. *status* is CodeDeploy's; *waiting* is a sentence, while it waits."""

    id: str
    application: str = ""
    group: str = ""
    revision: str = ""
    creator: str = "user"
    rolls_back: str | None = None
    status: str = "Created"
    total: int = 0
    noun: str = "host"  # what its targets are
    configuration: str = ""
    created_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    waiting: str | None = None
    until: dt.datetime | None = None
    message: str = ""
    hosts: dict[str, HostRow] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.application}/{self.group}"

    @property
    def is_over(self) -> bool:
        return self.status in ("Succeeded", "Failed", "Stopped")

    def host(self, name: str) -> HostRow:
        return self.hosts.setdefault(name, HostRow())

    def expect(self, names: Iterable[str]) -> None:
        """Give the hosts their order, before anything happens on them."""
        self.hosts = {name: self.host(name) for name in names}

    def number(self, status: str) -> int:
        """How many hosts are in that status; those not heard of yet are Pending."""
        unheard = max(0, self.total - len(self.hosts)) if status == "Pending" else 0
        return unheard + sum(host.status == status for host in self.hosts.values())


class Board:
    """All deployments that entries were seen of."""

    def __init__(self) -> None:
        self.rollouts: dict[str, Rollout] = {}

    def apply(self, entry: Entry) -> Rollout:
        """Take one journal entry into account."""
        rollout = self.rollouts.setdefault(entry.deployment_id, Rollout(entry.deployment_id))
        what, _, happened = entry.kind.rpartition(" ")
        if entry.target is not None:
            _host(rollout.host(entry.target), what, happened, entry)
        elif what == "deployment":
            _deployment(rollout, happened, entry)
        elif what in WAITS:
            _wait(rollout, what, happened, entry)
        return rollout


def _deployment(rollout: Rollout, happened: str, entry: Entry) -> None:
    details = entry.details
    rollout.waiting = rollout.until = None
    if happened == "created":
        rollout.application, rollout.group = details.get("application", ""), details.get("group", "")
        rollout.revision = short_revision(details.get("revision", ""))
        rollout.creator = details.get("creator", "user")
        rollout.rolls_back, rollout.created_at = details.get("rolls_back"), entry.at
        if rollout.rolls_back and details.get("platform") in NOUNS:
            rollout.revision = _BEFORE
    elif happened == "waiting":
        rollout.waiting, rollout.until = details.get("reason"), until_of(entry)
    elif happened == "queued":
        rollout.status = "Queued"
    elif happened == "started":
        rollout.status, rollout.started_at = "InProgress", entry.at
        rollout.noun = NOUNS.get(details.get("platform", ""), "host")
        rollout.total, rollout.configuration = details.get("targets", 0), details.get("configuration", "")
    elif happened in ("succeeded", "failed", "stopped"):
        rollout.status, rollout.ended_at = happened.capitalize(), entry.at
        rollout.message = details.get("message", "")


def _wait(rollout: Rollout, what: str, happened: str, entry: Entry) -> None:
    rollout.waiting = WAITS[what] if happened == "started" else None
    rollout.until = until_of(entry)
    rollout.status = "Ready" if rollout.waiting and what == "ready" else "InProgress"


def _host(host: HostRow, what: str, happened: str, entry: Entry) -> None:
    status = {"started": "InProgress"}.get(happened, happened.capitalize())
    if what == "target":
        host.status = status
        if happened == "started":
            host.started_at = entry.at
        else:
            host.ended_at = entry.at
    elif what == "lifecycle event" and entry.lifecycle_event:
        host.events[entry.lifecycle_event] = status
        if happened in ("failed", "skipped"):  # skipped: no agent took it up
            host.message = why(entry)
    elif what == "traffic":
        host.weight = entry.details.get("weight")


def why(entry: Entry) -> str:
    """Why a lifecycle event failed: the message, which names the script, or at least the script and the code."""
    details = entry.details
    script, message = details.get("script_name", ""), details.get("message", "")
    if not message:
        return ": ".join(filter(None, (script, details.get("error_code", ""))))
    return message if not script or script in message else f"{script}: {message}"


def short_revision(label: str) -> str:
    """`shop@sha1:<40 digits>` as `shop@<10 digits>`, an object in S3 without its pin; anything else as it is."""
    if label.startswith("s3://"):
        return _DIGITS.sub(r"\1", _PIN.sub("", label))
    return _LONG_COMMIT.sub(r"@\1", label)


def until_of(entry: Entry) -> dt.datetime | None:
    """The end of the wait that an entry tells of, where it is known."""
    text = entry.details.get("until")
    return dt.datetime.fromisoformat(text) if text else None
