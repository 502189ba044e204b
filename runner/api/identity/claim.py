"""What a request says of itself: the key that signed it, when, for which service, and over which headers. Checks no key.

Source: AWS Signature Version 4, the Authorization header.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple, NoReturn

from runner.errors import Refused
from runner.ports.identity import SignedRequest

_ALGORITHM = "AWS4-HMAC-SHA256"
_WELL_FORMED = re.compile(
    rf"{_ALGORITHM} +Credential=(\w{{1,128}})/(\d{{8}})/([\w-]{{1,64}})/([\w-]{{1,64}})/aws4_request *, *"
    r"SignedHeaders=([!-+\--~]{1,4096}) *, *Signature=([0-9a-f]{64})",
    re.ASCII,
)
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_TARGET_OF_URL = re.compile(r"[!-~]*", re.ASCII)  # printable, no blanks


class Claim(NamedTuple):
    """*date*, *region*, *service*: the credential's scope. *signed*: headers by name, sorted, as text.

    *timestamp*: as `20260101T000000Z`; *at* is the same as a time.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    at: dt.datetime
    signed: dict[str, str]
    signature: str


def claim(request: SignedRequest) -> Claim:
    """Raises `Refused`: MissingAuthenticationToken, or IncompleteSignature with what is wrong. Never shows a signature."""
    headers = dict(request.headers)
    repeated = _repeated(request) if len(headers) < len(request.headers) else frozenset()
    if (sent := headers.get(b"authorization")) is None:
        _unsigned(request)
    if b"authorization" in repeated:
        _incomplete("there is more than one Authorization header")
    authorization = _text(sent)
    found = _WELL_FORMED.fullmatch(authorization)
    if found is None:
        _explain(authorization)
    key, date, region, service, names, signature = found.groups()
    signed = _signed(names, headers, repeated)
    timestamp, at = _time(headers, signed)
    if "#" in request.path or not _TARGET_OF_URL.fullmatch(request.path) or not _TARGET_OF_URL.fullmatch(request.query):
        _incomplete("the URL holds characters that should be percent-encoded")
    if date != timestamp[:8]:
        _incomplete(f"the date in the credential's scope, {date}, is not that of the request, {timestamp}")
    return Claim(key, date, region, service, timestamp, at, signed, signature)


def _repeated(request: SignedRequest) -> frozenset[bytes]:
    counted = Counter(name for name, _ in request.headers)
    return frozenset(name for name, count in counted.items() if count > 1)


def _text(value: bytes) -> str:
    """A header's value. Clients sign the text, and send it as UTF-8 or Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _signed(names: str, headers: Mapping[bytes, bytes], repeated: frozenset[bytes]) -> dict[str, str]:
    signed: dict[str, str] = {}
    for name, raw in _named(names):
        if raw not in headers:
            _incomplete(f"SignedHeaders names {name[:60]!r}, which the request does not have")
        if raw in repeated or name in signed:
            _incomplete(f"the signed header {name[:60]!r} is there more than once")
        signed[name] = _text(headers[raw])
    for name in ("host", "x-amz-target"):
        if name not in signed and (name == "host" or name.encode() in headers):
            _incomplete(f"the header {name!r} must be signed")
    return signed


@lru_cache(maxsize=64)
def _named(names: str) -> tuple[tuple[str, bytes], ...]:
    """What stands in SignedHeaders, sorted, as text and as bytes. A client names the same ones with each request."""
    return tuple((name, name.encode()) for name in sorted(names.lower().split(";")))


def _time(headers: Mapping[bytes, bytes], signed: Mapping[str, str]) -> tuple[str, dt.datetime]:
    name = "x-amz-date" if b"x-amz-date" in headers else "date"
    if name not in signed:
        _incomplete("the request needs a signed X-Amz-Date or Date header")
    sent = signed[name].strip()
    at = _parsed(name, sent)
    if at is None:
        _incomplete(f"the header {name!r} is no time; the form is 20260101T000000Z")
    return sent if _TIMESTAMP.fullmatch(sent) else at.strftime("%Y%m%dT%H%M%SZ"), at


def _parsed(name: str, sent: str) -> dt.datetime | None:
    try:
        if _TIMESTAMP.fullmatch(sent):
            return dt.datetime.fromisoformat(sent)
        if name == "date":
            at = parsedate_to_datetime(sent)
            return at.astimezone(dt.UTC) if at.tzinfo else at.replace(tzinfo=dt.UTC)
    except (ValueError, TypeError, OverflowError):
        pass
    return None


def _unsigned(request: SignedRequest) -> NoReturn:
    if "x-amz-signature=" in request.query.lower():
        why = "presigned URLs are not accepted here; send the signature in the Authorization header"
    else:
        why = "the request is not signed; give the client an access key (`penstock keys create` makes one)"
    raise Refused("MissingAuthenticationTokenException", why)


def _explain(authorization: str) -> NoReturn:
    """Say what is wrong with an Authorization header, without repeating it."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != _ALGORITHM:
        _incomplete(f"the Authorization header must be {_ALGORITHM}, which every AWS SDK can sign with")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            _incomplete(f"the Authorization header has no {name}")
    if len(parts["Credential"].split("/")) != 5 or not parts["Credential"].endswith("/aws4_request"):
        _incomplete("the Credential must have the form KEY/DATE/REGION/SERVICE/aws4_request")
    _incomplete(
        "the Authorization header is malformed: Credential, SignedHeaders and Signature are wanted, in this order"
    )


def _incomplete(message: str) -> NoReturn:
    raise Refused("IncompleteSignatureException", message)
