"""The keys that were used lately, in memory, so that verifying costs no reading. A revoked one is known as such at once."""

import datetime as dt
import secrets
import threading
from typing import TypeAlias

from runner.api.identity.signature import signing_key
from runner.errors import WorldError
from runner.model.identity import Principal
from runner.ports.identity import Keyholders

_KEPT = 20_000  # keys, known and unknown each
_SCOPES = 8  # of one key: a service or two, today's and yesterday's date

Scope: TypeAlias = tuple[str, str, str]
"""Date, region and service."""


class Holder:
    """Who holds a key. *principal* is None where there is no such key: then the secret is one that nobody has."""

    __slots__ = ("_secret", "_signing_keys", "principal", "proven", "revocations")

    def __init__(self, principal: Principal | None, secret: str, revocations: int) -> None:
        self.principal, self.revocations = principal, revocations
        self.proven = False  # it has signed well here
        self._secret = secret
        self._signing_keys: dict[Scope, bytes] = {}

    def signing_key(self, scope: Scope) -> bytes:
        if (key := self._signing_keys.get(scope)) is None:
            if len(self._signing_keys) >= _SCOPES:
                self._signing_keys = {}
            key = self._signing_keys[scope] = signing_key(self._secret, *scope)
        return key


class Keyring:
    """Safe to use from several threads."""

    def __init__(self, keys: Keyholders) -> None:
        self._keys, self._lock = keys, threading.Lock()
        self._known: dict[str, Holder] = {}
        self._unknown: dict[str, Holder] = {}  # only until somebody writes: a key may have been made
        self._nobody = secrets.token_urlsafe(30)
        self._version = self._revocations = -1
        self._used: dict[str, dt.datetime] = {}

    def holder(self, access_key_id: str) -> Holder:
        """An unknown key takes as long as a known one."""
        with self._lock:
            self._look()
            holder = self._known.get(access_key_id) or self._unknown.get(access_key_id)
            if holder is None or holder.revocations != self._revocations:
                holder = self._found(access_key_id, holder)
            return holder

    def is_proven(self, access_key_id: str) -> bool:
        """Whether this key has signed well here. Reads nothing."""
        holder = self._known.get(access_key_id)
        return holder is not None and holder.proven

    def used(self, holder: Holder, access_key_id: str, at: dt.datetime) -> None:
        """The key has signed well; remembered until `flush`."""
        holder.proven = True
        with self._lock:
            self._used[access_key_id] = at

    def flush(self) -> None:
        """Write down when keys were last used. Blocks. What cannot be written is kept for the next time."""
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        try:
            self._keys.used(used)
        except WorldError:
            with self._lock:
                self._used = used | self._used
            raise

    def _look(self) -> None:
        version = self._keys.version()
        if version != self._version:
            self._revocations = self._keys.revocations()
            self._unknown.clear()
            self._version = version

    def _found(self, access_key_id: str, before: Holder | None) -> Holder:
        issued = self._keys.find(access_key_id)
        if issued is not None and before is not None:
            before.revocations = self._revocations
            return before
        self._known.pop(access_key_id, None)
        secret = issued.secret.reveal() if issued else self._nobody
        holder = Holder(issued.principal if issued else None, secret, self._revocations)
        kept = self._known if issued else self._unknown
        if len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        kept[access_key_id] = holder
        return holder
