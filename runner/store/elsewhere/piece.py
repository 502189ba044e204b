"""What is written elsewhere: one piece of the log, or the base that pieces are put on. A line of JSON, then bytes."""

import zlib
from typing import Literal, TypeAlias

import msgspec

from runner.errors import WorldError
from runner.model.value import from_json

FORMAT = 1
Kind: TypeAlias = Literal["base", "begin", "log", "end"]


class SmallFile(msgspec.Struct, frozen=True):
    """*modified_at*: in nanoseconds, as the file system has it; caches go by it."""

    modified_at: int
    content: bytes


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """*writer*: random, of the process that wrote it; *holder* is its name for people.

    *content*: of a base the database; of a `log` what stands at *offset* in the write-ahead log that its `begin` began.
    *files*: small files that have changed, by their path in the state folder; None: gone. Of a base all of them.
    *kept*: of a base the numbers of older pieces that stay where they are, see `log`.
    """

    format: int
    kind: Kind
    writer: str
    holder: str
    offset: int = 0
    files: dict[str, SmallFile | None] = {}
    kept: tuple[int, ...] = ()
    content: bytes = b""


def encode(piece: Piece) -> bytes:
    head = msgspec.json.encode(msgspec.structs.replace(piece, content=b""))
    return head + b"\n" + zlib.compress(piece.content)


def decode(data: bytes, name: str) -> Piece:
    """*name*: for messages. Raises `WorldError` for what this Penstock cannot read."""
    head, _, content = data.partition(b"\n")
    try:
        version = from_json(head, _Versioned).format
        if version > FORMAT:
            raise WorldError(f"{name} was written by a newer Penstock; run that version", retryable=False)
        return msgspec.structs.replace(from_json(head, Piece), content=zlib.decompress(content))
    except (msgspec.MsgspecError, zlib.error) as error:
        raise WorldError(f"{name} is damaged or no state of Penstock: {error}", retryable=False) from error


class _Versioned(msgspec.Struct):
    format: int
