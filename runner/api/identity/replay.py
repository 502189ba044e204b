"""What makes two requests one: the key, the operation, the body, and the attempt they belong to."""

import hashlib

from runner.model.identity import Principal
from runner.ports.identity import SignedRequest

_INVOCATION = b"amz-sdk-invocation-id"  # SDKs give it to a call, and keep it when they send the call again, signed anew


def fingerprint(principal: Principal, operation: str, request: SignedRequest) -> str:
    """64 hex digits. Without an invocation ID the signature stands for the attempt, so for one second of one key."""
    headers = dict(request.headers)
    attempt = headers.get(_INVOCATION) or headers.get(b"authorization", b"").rpartition(b"Signature=")[2]
    parts = (principal.access_key_id.encode(), operation.encode(), request.body, attempt)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
