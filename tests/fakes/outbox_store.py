"""The fake `OutboxStore`: a dictionary, which a test may hand to a second outbox as if the process had died between."""

import datetime as dt
import threading
from typing import Any

import msgspec

from runner.model.manifest import TriggerEvent
from runner.ports import Message

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)


def message(number: int, to: str = "webhook:ops", event: TriggerEvent = "DeploymentStart", **changes: Any) -> Message:
    """A message for tests."""
    subject = "CREATED: AWS CodeDeploy d-AB12CD34E in penstock to shop"
    body: dict[str, str | None] = {"deploymentId": "d-AB12CD34E", "completeTime": None, "status": "CREATED"}
    fields = {"id": number, "to": to, "event": event, "subject": subject, "body": body, "created_at": NOON}
    return Message(**{**fields, **changes})


class FakeOutboxStore:
    """Keeps messages by number: due at `due[number]`, or in `sent`, or in `given_up` with the error."""

    def __init__(self, *messages: Message) -> None:
        self.messages: dict[int, Message] = {}
        self.due: dict[int, dt.datetime] = {}
        self.sent: dict[int, dt.datetime] = {}
        self.given_up: dict[int, str] = {}
        self.retries: list[tuple[int, dt.datetime]] = []
        self.broken: Exception | None = None  # raised by whatever writes
        self.reads = 0
        self._lock = threading.RLock()
        for each in messages:
            self.add(each)

    def add(self, new: Message) -> None:
        with self._lock:
            self.messages[new.id] = msgspec.structs.replace(new)
            self.due[new.id] = new.created_at

    def due_messages(self, now: dt.datetime, limit: int) -> list[Message]:
        with self._lock:
            self.reads += 1
            return [self.messages[number] for number in self._heads() if self.due[number] <= now][:limit]

    def next_message_at(self) -> dt.datetime | None:
        with self._lock:
            return min((self.due[number] for number in self._heads()), default=None)

    def message_sent(self, message_id: int, at: dt.datetime) -> None:
        with self._lock:
            self._write()
            del self.due[message_id]
            self.sent[message_id] = at

    def message_failed(self, message_id: int, error: str, retry_at: dt.datetime | None) -> None:
        with self._lock:
            self._write()
            if retry_at is None:
                del self.due[message_id]
                self.given_up[message_id] = error
            else:
                self.due[message_id] = retry_at
                self.retries.append((message_id, retry_at))

    def _heads(self) -> list[int]:
        first: dict[str, int] = {}
        for number in sorted(self.due):
            first.setdefault(self.messages[number].to, number)
        return sorted(first.values())

    def _write(self) -> None:
        if self.broken is not None:
            raise self.broken
