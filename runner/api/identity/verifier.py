"""Who sent a request: its signature, its time and its service, checked against the keys. The `Identity` of the house."""

import asyncio
import datetime as dt
from contextlib import suppress

from runner.api.identity.claim import Claim, claim
from runner.api.identity.failures import Failures
from runner.api.identity.keyring import Keyring
from runner.api.identity.signature import body_hash, matches
from runner.errors import Refused, WorldError
from runner.log import get_logger
from runner.model.identity import Principal
from runner.ports import Clock
from runner.ports.identity import Keyholders, SignedRequest

SKEW = dt.timedelta(minutes=5)
FLUSH_EVERY = 900.0  # seconds

_UNKNOWN = "the access key ID is not known here, or was revoked; `penstock keys list` shows the keys"
_WRONG = (
    "the signature does not match: check the secret access key, and that nothing on the way changes the host header, "
    "the path or the body"
)

log = get_logger()


class Verifier:
    """Implements `Identity`. Safe to use from several threads."""

    def __init__(self, keys: Keyholders, clock: Clock, failures: Failures | None = None) -> None:
        self._keyring, self._clock, self._failures = Keyring(keys), clock, failures or Failures()

    def identify(self, request: SignedRequest, services: frozenset[str]) -> Principal:
        proven = None
        try:
            claimed = claim(request)
            proven = claimed.access_key_id if self._keyring.is_proven(claimed.access_key_id) else None
            self._failures.check(request.client, proven)
            return self._identified(request, claimed, services)
        except Refused as error:
            if error.code != "ThrottlingException":
                self._failures.count(request.client, proven)
            raise

    async def run(self) -> None:
        """Write down now and then, and at the end, when keys were last used. Runs until cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_EVERY)
                try:
                    await asyncio.to_thread(self.flush)
                except WorldError as error:
                    log.warning("last use of keys not written", error=error.message)
        finally:
            with suppress(WorldError):
                self.flush()

    def flush(self) -> None:
        """Write down when keys were last used. Blocks."""
        self._keyring.flush()

    def _identified(self, request: SignedRequest, claimed: Claim, services: frozenset[str]) -> Principal:
        if claimed.service not in services:
            wanted = " or ".join(sorted(services))
            raise Refused("InvalidSignatureException", f"the credential's scope must name the service {wanted}")
        now = self._clock()
        hashed = body_hash(request, claimed.service)
        holder = self._keyring.holder(claimed.access_key_id)
        right = matches(request, claimed, holder.signing_key(claimed[1:4]), hashed)
        if holder.principal is None:
            raise Refused("UnrecognizedClientException", _UNKNOWN)
        _check_time(claimed, now)
        if not right:
            raise Refused("InvalidSignatureException", _WRONG)
        self._keyring.used(holder, claimed.access_key_id, now)
        return holder.principal


def _check_time(claimed: Claim, now: dt.datetime) -> None:
    if abs(claimed.at - now) <= SKEW:
        return
    if claimed.at < now:
        what, limit = "Signature expired: {} is now earlier than {} ({} - 5 min)", now - SKEW
    else:
        what, limit = "Signature not yet current: {} is still later than {} ({} + 5 min)", now + SKEW
    said = what.format(claimed.timestamp, f"{limit:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%dT%H%M%SZ}")
    raise Refused("InvalidSignatureException", f"{said}; set the clocks of client and server right")
