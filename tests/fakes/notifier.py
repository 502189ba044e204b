"""The fake `Notifier`: keeps what it is given, fails when it is told to."""

import threading

from runner.errors import RunnerError
from runner.ports import Message


class FakeNotifier:
    """*failing*: destination to the errors that the next sends there raise; one that stays last is raised for ever."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.failing: dict[str, list[RunnerError | Exception]] = {}
        self.hold: dict[str, threading.Event] = {}  # sends to these destinations wait for the event
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        if message.to in self.hold:
            self.hold[message.to].wait(20)
        with self._lock:
            errors = self.failing.get(message.to)
            if errors:
                raise errors.pop(0)
            self.sent.append(message)

    def fail(self, to: str, error: Exception, times: int = 1) -> None:
        self.failing.setdefault(to, []).extend([error] * times)

    def ids(self, to: str | None = None) -> list[int]:
        """What was delivered, in order; to everybody or to one."""
        return [message.id for message in self.sent if to in (None, message.to)]
