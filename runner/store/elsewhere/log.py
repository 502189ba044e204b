"""The log of one state: a base, and pieces in the order of their numbers. Whoever creates the next number owns the state.

    base/0000000040     the database and small files as of piece 40
    log/0000000041      what has changed since, one piece a commit
    log/0000000042

A process that takes over begins with a piece of its own. So the number that the process before it would write next is
taken, and that one ends there, however long it was frozen. That first piece must never go, or its number could be had
again: it stays for good, unless the process before had said with an `end` that it writes nothing more.
"""

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from runner.errors import StateFolderBusy, WorldError
from runner.ports.state_objects import StateObjects
from runner.store.elsewhere.piece import FORMAT, Kind, Piece, SmallFile, decode, encode

LONG, LARGE = 64, 4 * 1024 * 1024  # pieces, and bytes of them, from which on a new base is worth while
_TRIES = 5
_AT_ONCE = 8  # pieces that are fetched side by side


class Overtaken(WorldError):
    """Another process has the state by now."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"{holder} has taken over the state", retryable=False)
        self.holder = holder


class Restored(NamedTuple):
    """What the state is: *pieces* on *base*, whose number is *at*. No base: there is no state yet."""

    at: int
    base: Piece | None
    pieces: tuple[Piece, ...]

    @property
    def number(self) -> int:
        """Of the last piece."""
        return self.at + len(self.pieces)


class StateLog:
    """As one process sees it. `read` is for everybody; the rest for whoever has begun."""

    def __init__(self, objects: StateObjects, holder: str) -> None:
        self._objects, self._holder = objects, holder
        self.writer = secrets.token_hex(8)
        self.number = self._at = 0
        self._kept: tuple[int, ...] = ()
        self._size = 0  # bytes of the pieces since the base, before compression

    def read(self) -> Restored:
        """The state as it is. Raises `WorldError`: it cannot be read, or is damaged."""
        for _ in range(_TRIES):
            at = self._newest_base()
            if at is None:
                return Restored(0, None, ())
            found = self._from(at)
            if self._newest_base() == at:  # else pieces may have gone, as the newer base has them
                if found is None:
                    raise WorldError(
                        f"pieces of the state {self._objects.address} are missing; restore {_log(at + 1)} and what follows "
                        "it from a backup",
                        retryable=False,
                    )
                return found
        raise WorldError(f"the state {self._objects.address} changes faster than it can be read; try again")

    def begin(self, empty: bytes) -> Restored:
        """Take over. *empty*: a database with nothing in it. Returns the state; raises `StateFolderBusy`, `WorldError`."""
        for _ in range(_TRIES):
            found = self.read()
            if found.base is None:
                self._objects.create(_base(0), encode(self._piece("base", content=empty)))
                continue
            if self._create(found.number + 1, encode(self._piece("begin"))) is not None:
                continue
            if self._newest_base() == found.at:  # else that number was there, and has gone into a base
                self._own(found)
                return found
        raise StateFolderBusy(f"other processes keep taking the state {self._objects.address}; try again")

    def append(self, kind: Kind, content: bytes, offset: int, files: Mapping[str, SmallFile | None]) -> None:
        """Write the next piece. Raises `Overtaken`, or `WorldError`: it may be there, and nothing more must be written."""
        data = encode(self._piece(kind, content=content, offset=offset, files=dict(files)))
        if (other := self._create(self.number + 1, data)) is not None:
            raise Overtaken(other.holder)
        self.number += 1
        self._size += len(content)

    def is_ours(self) -> bool:
        """Whether nobody has taken over until now."""
        return not self._objects.names("log/", after=_log(self.number))

    @property
    def is_long(self) -> bool:
        return self.number - self._at >= LONG or self._size >= LARGE

    def compact(self, content: bytes, files: Mapping[str, SmallFile | None]) -> None:
        """Write a base of all pieces so far, and remove those.

        Any process that knows them would write the same, so that it makes no difference who does, or how often.
        """
        base = self._piece("base", content=content, files=dict(files), kept=self._kept)
        self._objects.create(_base(self.number), encode(base))
        self._at, self._size = self.number, 0
        stay = {_log(number) for number in self._kept}
        doomed = [each for each in self._objects.names("log/") if each <= _log(self.number) and each not in stay]
        self._objects.remove(doomed)
        self._objects.remove(each for each in self._objects.names("base/") if each < _base(self.number))

    def _own(self, found: Restored) -> None:
        assert found.base is not None
        self._at, self.number = found.at, found.number + 1
        self._size = sum(len(each.content) for each in found.pieces)
        kinds = [*(each.kind for each in found.pieces), "begin"]
        before: list[Kind] = ["base" if found.at else "end", *(each.kind for each in found.pieces)]
        taken_over = [
            found.at + 1 + place
            for place, (kind, last) in enumerate(zip(kinds, before, strict=True))
            if kind == "begin" and last != "end"
        ]
        self._kept = (*found.base.kept, *taken_over)

    def _create(self, number: int, data: bytes) -> Piece | None:
        """None: it is there, and ours. Else the piece of another that has the number."""
        name = _log(number)
        if self._objects.create(name, data) is not None:
            return None
        found = self._objects.find(name)
        if found is None:  # another's, that has gone into a base meanwhile
            return Piece(format=FORMAT, kind="log", writer="", holder="another process")
        other = decode(found.content, self._named(name))
        return None if other.writer == self.writer else other  # the answer to our first try was lost

    def _newest_base(self) -> int | None:
        names = self._objects.names("base/")
        return _number(names[-1]) if names else None

    def _from(self, at: int) -> Restored | None:
        """None: some are missing."""
        base = self._objects.find(_base(at))
        names = self._objects.names("log/", after=_log(at))
        if base is None or names != [_log(at + 1 + place) for place in range(len(names))]:
            return None
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="state") as fetching:
            found = list(fetching.map(self._objects.find, names))
        pieces = tuple(
            decode(each.content, self._named(name)) for name, each in zip(names, found, strict=True) if each is not None
        )
        return Restored(at, decode(base.content, self._named(_base(at))), pieces) if len(pieces) == len(names) else None

    def _named(self, name: str) -> str:
        return f"{name} of the state {self._objects.address}"

    def _piece(
        self,
        kind: Kind,
        *,
        content: bytes = b"",
        offset: int = 0,
        files: dict[str, SmallFile | None] | None = None,
        kept: tuple[int, ...] = (),
    ) -> Piece:
        return Piece(
            format=FORMAT,
            kind=kind,
            writer=self.writer,
            holder=self._holder,
            offset=offset,
            files=files or {},
            kept=kept,
            content=content,
        )


def _base(number: int) -> str:
    return f"base/{number:010}"


def _log(number: int) -> str:
    return f"log/{number:010}"


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
