"""What GitHub makes of the claim of an App. Source: its documentation, "Generating a JSON Web Token (JWT)"."""

import base64
import json
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15


def mistake(token: str, app_id: str, public_key: Any) -> str | None:
    """Why *token* is refused; None when it is good."""
    try:
        head, claims, signature = token.split(".")
        public_key.verify(_decoded(signature), f"{head}.{claims}".encode(), PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return "A JSON web token could not be decoded"
    said, now = json.loads(_decoded(claims)), time.time()
    if json.loads(_decoded(head)) != {"alg": "RS256", "typ": "JWT"} or said["iss"] != app_id:
        return "Integration not found"
    if said["iat"] > now:
        return "'Issued at' claim ('iat') must be in the past"
    if not now < said["exp"] <= now + 600:
        return "'Expiration time' claim ('exp') must be a numeric value representing the future time, not too far"
    return None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
