"""Next tokens: where a listing goes on, told to the caller in a form that only this listing takes back."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from runner.api.call import Params
from runner.errors import Refused
from runner.model.value import from_json

_MAC = 16  # bytes of it that a token carries
_NAMES = ("nextToken", "NextToken")


class Tokens:
    """Makes the pages of listings. *key*: secret, at least 16 bytes; tokens outlive a restart when it does."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a key of at least 16 bytes is needed")
        self._key = key

    def pages(self, operation: str, params: Params) -> "Listing":
        """The pages of *operation* with the filters in *params*."""
        return Listing(self._key, operation, params)


class Listing:
    """The pages of one listing: `runner.api.call.Pages`.

    A token is base64url of a MAC and the position, as JSON. The MAC also covers the operation and its filters. The
    position is not a secret: it is the last name or number that the caller has just been shown.
    """

    __slots__ = ("_key", "_operation", "_params")

    def __init__(self, key: bytes, operation: str, params: Params) -> None:
        self._key = key
        self._operation = operation
        self._params = params

    def after(self) -> dict[str, Any] | None:
        token = next((self._params[name] for name in _NAMES if name in self._params), None)
        return None if token is None else self._position(token)

    def token(self, position: dict[str, Any]) -> str:
        text = msgspec.json.encode(position)
        return base64.urlsafe_b64encode(self._mac(text) + text).decode().rstrip("=")

    def _position(self, token: str) -> dict[str, Any]:
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, text = raw[:_MAC], raw[_MAC:]
        if not hmac.compare_digest(mac, self._mac(text)):
            raise Refused("InvalidNextTokenException", "the next token is not one of this listing; begin it anew")
        return from_json(text, dict[str, Any])

    def _mac(self, text: bytes) -> bytes:
        filters = {name: value for name, value in self._params.items() if name not in _NAMES}
        scope = msgspec.json.encode([self._operation, filters], order="sorted")
        return hmac.digest(self._key, hashlib.sha256(scope).digest() + text, "sha256")[:_MAC]
