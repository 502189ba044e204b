"""Where state is kept that is in no folder: named contents in S3 or in a database. How they make a log is not said here."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Found(NamedTuple):
    """*tag*: changes with the content. *age*: seconds since it was written, by the clock of whoever keeps it."""

    content: bytes
    tag: str
    age: float


class StateObjects(Protocol):
    """Names are paths of ASCII: `log/0000000012`. Whatever returns is durable, and everybody sees it from then on.

    Safe for threads. Every method blocks, tries again by itself for a while, and raises `WorldError`: after one that is
    `retryable` it is unknown whether what was asked for was done. An answer can be lost, too: then the second try finds
    what the first has made, and `create` returns None for what is one's own.
    """

    @property
    def address(self) -> str:
        """As people write it, without a password."""

    def create(self, name: str, content: bytes) -> str | None:
        """The tag; None, and nothing done, where there is something of that name."""

    def replace(self, name: str, content: bytes, tag: str) -> str | None:
        """The new tag; None, and nothing done, unless what is there has *tag*."""

    def find(self, name: str) -> Found | None: ...

    def names(self, prefix: str, after: str = "") -> list[str]:
        """All names that begin with *prefix* and come after the name *after*, in order."""

    def remove(self, names: Iterable[str]) -> None:
        """Those that are there."""

    def beside(self) -> "StateObjects":
        """The same contents, for a thread that must not wait for what others ask of this one. It is closed by itself."""

    def close(self) -> None: ...
