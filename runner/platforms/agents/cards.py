"""The commands that are under way, by host."""

from collections import deque
from collections.abc import Iterator

from runner.model.host_command import CommandKey
from runner.platforms.agents.card import Card


class Cards:
    """All cards on the desk, and of these the ones that wait until an agent asks, in their order."""

    def __init__(self) -> None:
        self._by_host: dict[str, dict[CommandKey, Card]] = {}
        self._queues: dict[str, deque[Card]] = {}

    def __iter__(self) -> Iterator[Card]:
        """Of all hosts; the desk may change meanwhile."""
        for host in list(self._by_host):
            yield from self.of(host)

    def of(self, host: str) -> list[Card]:
        return list(self._by_host.get(host, {}).values())

    def find(self, key: CommandKey) -> Card | None:
        return self._by_host.get(key[1], {}).get(key)

    def add(self, card: Card) -> Card:
        self._by_host.setdefault(card.command.host, {})[card.command.key] = card
        return card

    def remove(self, card: Card) -> None:
        host = card.command.host
        cards, queue = self._by_host.get(host, {}), self._queues.get(host, deque())
        cards.pop(card.command.key, None)
        if not cards:
            self._by_host.pop(host, None)
        if card in queue:
            queue.remove(card)
            self._drop_empty(host)

    def queue(self, card: Card) -> None:
        """Let *card* wait for its agent, behind the others of its host."""
        self._queues.setdefault(card.command.host, deque()).append(card)

    def next(self, host: str) -> Card | None:
        """The first that waits for the agent of *host*, which is then no longer queued."""
        queue = self._queues.get(host)
        if not queue:
            return None
        card = queue.popleft()
        self._drop_empty(host)
        return card

    def _drop_empty(self, host: str) -> None:
        if not self._queues[host]:
            del self._queues[host]
