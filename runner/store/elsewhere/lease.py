"""Who has a state, for the others to see and wait for. Only manners: what keeps two from writing is the log's numbers."""

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress

import msgspec

from runner.errors import StateFolderBusy, WorldError
from runner.model.value import from_json
from runner.ports.state_objects import Found, StateObjects

LASTS = 60.0  # seconds after which one that is not renewed counts no more
RENEWED_EVERY = 15.0
_NAME = "lease"
_NO_TAG = '"0"'  # that nothing has


def who_has(objects: StateObjects) -> str | None:
    """The holder; None: nobody who was heard of lately. Raises `WorldError`."""
    found = objects.find(_NAME)
    return (_holder(found) or None) if found and found.age < LASTS else None


class _Lease(msgspec.Struct, frozen=True):
    """*holder*: for people; empty: nobody. *random*: of the process."""

    holder: str
    random: str


class Lease:
    """To be taken once. *lost* is told who has it instead of this process, from a thread of its own."""

    def __init__(
        self, objects: StateObjects, holder: str, lost: Callable[[str], None], *, renewed_every: float = RENEWED_EVERY
    ) -> None:
        self._objects = objects.beside()  # a large bundle on its way must not hold up a renewal
        self._lost, self._renewed_every = lost, renewed_every
        self._random = secrets.token_hex(8)
        self._mine = msgspec.json.encode(_Lease(holder, self._random))
        self._tag, self._left = "", False
        self._stop = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)

    def take(self) -> None:
        """Take it, and renew it from now on. Raises `StateFolderBusy`, which names the holder; `WorldError`."""
        try:
            self._take()
        except BaseException:
            self._objects.close()
            raise
        self._renewing.start()

    def release(self) -> None:
        """Let others have it at once; without that they wait for a minute."""
        self._stop.set()
        self._renewing.join()
        with suppress(WorldError):
            self._objects.replace(_NAME, msgspec.json.encode(_Lease("", self._random)), self._tag)
        self._objects.close()

    def leave(self) -> None:
        """Renew it no more. What is under way with that is not waited for."""
        self._left = True
        self._stop.set()
        if not self._renewing.is_alive():  # it was lost
            self._objects.close()

    def _take(self) -> None:
        found = self._objects.find(_NAME)
        if found is None:
            tag = self._objects.create(_NAME, self._mine)
        else:
            self._check_free(found)
            tag = self._objects.replace(_NAME, self._mine, found.tag)
        self._tag = tag or self._after_all()
        self._check_conditions()

    def _check_free(self, found: Found) -> None:
        holder = _holder(found)
        if holder and found.age < LASTS and found.content != self._mine:
            raise StateFolderBusy(
                f"{holder} already drives the state {self._objects.address}; wait until it has ended. Should it be dead, "
                f"that is noticed {LASTS:.0f} s after it was last heard of"
            )

    def _after_all(self) -> str:
        """The tag, where it is ours and only the answer was lost."""
        found = self._objects.find(_NAME)
        if found is None:
            raise StateFolderBusy(f"another process is taking the state {self._objects.address}; try again")
        if found.content != self._mine:
            self._check_free(found)
            raise StateFolderBusy(f"another process had the state {self._objects.address} until now; try again")
        return found.tag

    def _check_conditions(self) -> None:
        """Some that call themselves S3 know no conditions: then two could own one state."""
        done = self._objects.create(_NAME, self._mine) or self._objects.replace(_NAME, self._mine, _NO_TAG)
        if done is not None:
            raise WorldError(
                f"what answers for {self._objects.address} ignores If-None-Match or If-Match, so that two processes could "
                "write one state. Use S3 itself or a server that honours them, a PostgreSQL URL, or a folder",
                retryable=False,
            )

    def _renew(self) -> None:
        self._renew_until_told()
        if self._left:
            self._objects.close()

    def _renew_until_told(self) -> None:
        while not self._stop.wait(self._renewed_every):
            with suppress(WorldError):  # the next time, perhaps; if not, others may take it, and the log's numbers tell
                tag = self._objects.replace(_NAME, self._mine, self._tag)
                if tag is None and (found := self._objects.find(_NAME)) is not None:
                    if found.content != self._mine:
                        self._lost(_holder(found) or "another process")
                        return
                    tag = found.tag
                self._tag = tag or self._tag


def _holder(found: Found) -> str:
    try:
        return from_json(found.content, _Lease).holder
    except msgspec.MsgspecError as error:
        raise WorldError(f"{_NAME} is damaged or no lease of Penstock: {error}", retryable=False) from error
