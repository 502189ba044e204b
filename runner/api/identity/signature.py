"""What the signature of a request should be, by botocore's own signer: the same code that signs, fed what was signed.

Its methods get a light stand-in for its request, and headers that are in order already: these cost it most of its time.
"""

import functools
import hashlib
import hmac
from typing import Any

from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth, SigV4Auth
from botocore.credentials import Credentials

from runner.api.identity.claim import Claim
from runner.errors import Refused
from runner.ports.identity import SignedRequest

_CONTENT_HASH = b"x-amz-content-sha256"


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key for one day, region and service: whoever has it can sign nothing else."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def matches(request: SignedRequest, claim: Claim, key: bytes, body_hash: str) -> bool:
    """Whether *request* was signed with the signing key *key*. Takes the same time whatever the signature is."""
    text = string_to_sign(request, claim, body_hash).encode()
    return hmac.compare_digest(hmac.digest(key, text, "sha256").hex(), claim.signature)


def string_to_sign(request: SignedRequest, claim: Claim, body_hash: str) -> str:
    """What the signature of *request* is made over."""
    signer = _signer(claim.service, claim.region)
    asked = _Request(request, claim, body_hash)
    return str(signer.string_to_sign(asked, signer.canonical_request(asked)))


def body_hash(request: SignedRequest, service: str) -> str:
    """What stands for the body in the signature: its SHA-256, or that it is not signed, for a GET from s3 alone.

    Raises `Refused` when the request states another hash, signed or not.
    """
    stated = [value.decode("latin-1").strip() for name, value in request.headers if name == _CONTENT_HASH]
    if stated == [UNSIGNED_PAYLOAD] and service == "s3" and request.method == "GET" and not request.body:
        return str(UNSIGNED_PAYLOAD)
    actual = hashlib.sha256(request.body).hexdigest()
    if stated not in ([], [actual]):
        raise Refused("InvalidSignatureException", "the header X-Amz-Content-Sha256 is not the hash of the body")
    return actual


class _Request:
    """As much of `AWSRequest` as the signer uses."""

    __slots__ = ("body_hash", "context", "headers", "method", "params", "signed", "url")

    def __init__(self, request: SignedRequest, claim: Claim, body_hash: str) -> None:
        self.method, self.body_hash = request.method, body_hash
        self.url = f"http://-{request.path}?{request.query}"
        self.signed = claim.signed
        self.params: dict[str, str] = {}
        self.headers: dict[str, str] = {}  # none that the signer should look at
        self.context = {"timestamp": claim.timestamp}


class _Reading:
    """Takes from a request what botocore would decide when it signs. Half of its time went into sorting names anew."""

    def headers_to_sign(self, request: _Request) -> dict[str, str]:
        return request.signed

    def canonical_headers(self, signed: dict[str, str]) -> str:
        """As botocore's, for names that are in lower case, sorted, and there once."""
        return "\n".join([f"{name}:{' '.join(value.split())}" for name, value in signed.items()])

    def signed_headers(self, signed: dict[str, str]) -> str:
        return ";".join(signed)

    def payload(self, request: _Request) -> str:
        return request.body_hash


_UNTYPED: Any = SigV4Auth


class _Signer(_Reading, SigV4Auth):  # type: ignore[misc]
    def _normalize_url_path(self, path: str) -> Any:
        return path if path == "/" else _UNTYPED._normalize_url_path(self, path)


class _S3Signer(_Reading, S3SigV4Auth):  # type: ignore[misc]
    pass


_NO_CREDENTIALS = Credentials("", "")  # the signer needs some; what it would do with them is done here


@functools.lru_cache(maxsize=64)
def _signer(service: str, region: str) -> Any:
    return (_S3Signer if service == "s3" else _Signer)(_NO_CREDENTIALS, service, region)
