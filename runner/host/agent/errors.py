"""What can go wrong between the agent and the control side, by who has to act."""

from __future__ import annotations


class Mistake(Exception):
    """Somebody has to mend something on this host first; the message says what."""


class Unreachable(Exception):
    """The control side cannot be reached, is busy or in trouble; trying again may help."""


class Rejected(Exception):
    """The control side understood the request and refused it. *status*: of HTTP; *code*: the name of the exception."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__("{}: {}".format(code, message) if message else code)
        self.status = status
        self.code = code

    @property
    def is_about_us(self) -> bool:
        """Whether our key or clock is the matter, and not what was asked."""
        return self.status in (401, 403)


class Untrusted(Exception):
    """What the control side sent is not signed by the key that this host pinned, or is not meant for this host."""


class Broken(Exception):
    """The executor, or the connection to it, is gone. What it had been asked for goes on, or can be taken up."""
