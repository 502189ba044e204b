"""The keys that have been used lately, in memory, so that a verification costs no reading. A revoked one leaves at once."""

import datetime as dt
import secrets
import threading

from runner.api.identity.signature import signing_key
from runner.model.identity import Principal
from runner.ports.identity import Keyholders

_KEPT = 20_000  # keys, known and unknown each
_SCOPES = 8  # of one key: a service or two, today's and yesterday's date


class Holder:
    """The holder of one key. *principal* is None for a key that does not exist: its secret is one that nobody has."""

    __slots__ = ("_secret", "_signing_keys", "principal")

    def __init__(self, principal: Principal | None, secret: str) -> None:
        self.principal, self._secret = principal, secret
        self._signing_keys: dict[tuple[str, str, str], bytes] = {}

    def signing_key(self, date: str, region: str, service: str) -> bytes:
        scope = (date, region, service)
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
        self._unknown: dict[str, Holder] = {}  # only as long as nobody has written: a key may have been made since
        self._nobody = secrets.token_urlsafe(30)
        self._version = self._revocations = -1
        self._used: dict[str, dt.datetime] = {}

    def holder(self, access_key_id: str) -> Holder:
        """An unknown key takes as long as a known one."""
        with self._lock:
            self._look()
            if holder := self._known.get(access_key_id) or self._unknown.get(access_key_id):
                return holder
            issued = self._keys.find(access_key_id)
            holder = Holder(issued.principal, issued.secret.reveal()) if issued else Holder(None, self._nobody)
            _keep(self._known if issued else self._unknown, access_key_id, holder)
            return holder

    def used(self, access_key_id: str, at: dt.datetime) -> None:
        """Remember, until `flush`."""
        self._used[access_key_id] = at

    def flush(self) -> None:
        """Write down when keys were last used. Blocks; rarely is enough: every writing costs the caches of all."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            self._keys.used(used)

    def _look(self) -> None:
        version = self._keys.version()
        if version == self._version:
            return
        revocations = self._keys.revocations()
        if revocations != self._revocations:
            self._known.clear()
        self._unknown.clear()
        self._version, self._revocations = version, revocations


def _keep(kept: dict[str, Holder], access_key_id: str, holder: Holder) -> None:
    if len(kept) >= _KEPT:
        del kept[next(iter(kept))]
    kept[access_key_id] = holder


