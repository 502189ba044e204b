"""What the tools' answers come to: a signer, or the reason why not."""

from typing import NamedTuple


class Good(NamedTuple):
    """*who*: a principal or a user ID, as the list has it; *key*: its fingerprint."""

    who: str
    key: str


class Bad(NamedTuple):
    """*why*: begins in the middle of a sentence about the commit; *remedy*: a sentence of its own."""

    why: str
    remedy: str
    key: str = ""  # fingerprint, where the signature tells it


def shown(text: str, most: int = 200) -> str:
    """What other people wrote, fit for one line of a message."""
    cut = text if len(text) <= most else text[:most] + "..."
    return "".join(character if character.isprintable() else "?" for character in cut)
