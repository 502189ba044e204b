"""The control side's public key as this host pinned it when it enrolled: checks what is signed by it.

RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2), by making the one block that is right and comparing all of it: there
is nothing to parse, so nothing to be parsed wrongly.
"""

from __future__ import annotations

import hashlib
import hmac

from runner.host.agent.errors import Mistake
from runner.host.lean.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo: SHA-256, then 32 bytes
_FEWEST_BITS = 2048
_MOST_BITS = 16384


class PinnedKey(Record):
    """*n*, *e*: modulus and public exponent."""

    n: int
    e: int

    @classmethod
    def from_json(cls, value: Any) -> PinnedKey:
        """From `{"n": "<hex>", "e": 65537}`. Raises `Mistake` for what is no such key, or too weak a one."""
        try:
            n, e = int(value["n"], 16), value["e"]
        except (KeyError, TypeError, ValueError) as error:
            raise Mistake("the signing key of the server is not one: enrol this host again") from error
        if not isinstance(e, int) or not _FEWEST_BITS <= n.bit_length() <= _MOST_BITS or e < 3 or not (e & n & 1):
            raise Mistake("the signing key of the server is too weak, or damaged: enrol this host again")
        return cls(n=n, e=e)

    def as_json(self) -> dict[str, Any]:
        return {"n": "{:x}".format(self.n), "e": self.e}

    def fingerprint(self) -> str:
        """All 64 hexadecimal digits of the SHA-256 over `n:e`; a token ends with the first 32."""
        return hashlib.sha256("{:x}:{}".format(self.n, self.e).encode()).hexdigest()

    def has_signed(self, content: bytes, signature: bytes) -> bool:
        size = (self.n.bit_length() + 7) // 8
        number = int.from_bytes(signature, "big")
        if len(signature) != size or number >= self.n:
            return False
        digest = _SHA256 + hashlib.sha256(content).digest()
        expected = b"\x00\x01" + b"\xff" * (size - 3 - len(digest)) + b"\x00" + digest
        return hmac.compare_digest(pow(number, self.e, self.n).to_bytes(size, "big"), expected)
