"""Hands each message to the notifier that its destination names. Who is told of what is decided before, by triggers."""

from collections.abc import Mapping

from runner.errors import UserError
from runner.ports import Message, Notifier


class Router:
    """*notifiers*: by destination (`webhook:ops`), or by kind (`sns`, for every `sns:...`). Implements `Notifier`."""

    def __init__(self, notifiers: Mapping[str, Notifier]) -> None:
        self._notifiers = dict(notifiers)

    def send(self, message: Message) -> None:
        """As `Notifier.send`; raises `UserError` when nobody knows the destination."""
        kind = message.to.partition(":")[0]
        notifier = self._notifiers.get(message.to) or self._notifiers.get(kind)
        if notifier is None:
            known = ", ".join(sorted(self._notifiers)) or "none"
            raise UserError(f"the runner's configuration has no notifier {message.to}; known are: {known}")
        notifier.send(message)
