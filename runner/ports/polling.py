"""Asking a git server for refs from the event loop, cheaply, again and again."""

from typing import Protocol


class Answer(Protocol):
    """What a server said of the refs that its repository's configuration may select."""

    @property
    def digest(self) -> bytes:
        """The same digest, the same heads."""
        ...

    def heads(self) -> dict[str, str]:
        """As `Repository.heads` has them, but for refs that no configured glob can match. Raises `WorldError`."""
        ...


class QuickRefs(Protocol):
    """The refs of one repository. Every method is for one event loop, and none blocks it."""

    async def ask(self) -> Answer | None:
        """One answer of the server, None when it cannot be asked this way: `Repository.heads` can do it.

        Ends by itself, within about a minute. Raises `WorldError`; `Throttled` when the server wants to be left alone.
        """
        ...
